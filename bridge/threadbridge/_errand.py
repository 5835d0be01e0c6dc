"""A coroutine that a thread has done on another thread's event loop, and waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")

#: What to do on the loop with the task of a caller who stopped waiting for it.
Leave: TypeAlias = "Callable[[asyncio.Task[T]], object]"

#: The loop itself keeps no hold on its tasks.
_UNDER_WAY: set[asyncio.Task[Any]] = set()


class Errand(Generic[T]):
    """One task and one lock. `asyncio.run_coroutine_threadsafe` makes two futures more, and links them; for short work
    that costs as much as the change of threads.
    """

    __slots__ = ("_coroutine", "_loop", "_outstanding", "_task")

    def __init__(self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop) -> None:
        self._coroutine = coroutine
        self._loop = loop
        self._task: asyncio.Task[T] | None = None
        self._outstanding = threading.Lock()

    def done(self, *, timeout: float | None, leave: Leave[T]) -> T:
        """Have it done and give its result, or raise what it raised. To be called once.

        Raises TimeoutError after `timeout` seconds, CancelledError (of `concurrent.futures`) where the task was
        cancelled, RuntimeError where the loop has ended.
        """
        self._outstanding.acquire()
        try:
            self._loop.call_soon_threadsafe(self._begin)
        except RuntimeError:
            self._coroutine.close()
            raise
        came = False
        try:
            came = self._outstanding.acquire(timeout=-1 if timeout is None else _bounded(timeout))
        finally:
            if not came:
                self._give_up(leave)
        if not came or self._task is None:
            raise TimeoutError
        if self._task.cancelled():
            raise CancelledError
        return self._task.result()

    def _begin(self) -> None:
        self._task = self._loop.create_task(self._coroutine)
        _UNDER_WAY.add(self._task)
        self._task.add_done_callback(self._end)

    def _end(self, task: asyncio.Task[T]) -> None:
        _UNDER_WAY.discard(task)
        self._outstanding.release()

    def _give_up(self, leave: Leave[T]) -> None:
        with suppress(RuntimeError):  # the loop has ended, and its tasks with it
            self._loop.call_soon_threadsafe(self._abandon, leave)

    def _abandon(self, leave: Leave[T]) -> None:
        if self._task is not None:
            leave(self._task)


def _bounded(timeout: float) -> float:
    """A lock takes neither negative nor endless times."""
    return max(0.0, min(timeout, threading.TIMEOUT_MAX))
