"""A coroutine that a thread has done on another thread's event loop, and waits for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from typing import Any, Generic, TypeAlias, TypeVar

from threadbridge.runtime._at_once import Done, begin

T = TypeVar("T")

#: What to do on the loop with the task of a caller who stopped waiting for it.
Leave: TypeAlias = "Callable[[asyncio.Task[T]], object]"

#: The loop itself keeps no hold on its tasks.
_UNDER_WAY: set[asyncio.Task[Any]] = set()


class Errand(Generic[T]):
    """One lock, and one task where there is something to wait for. `asyncio.run_coroutine_threadsafe` makes two futures
    more, and links them; for short work that costs as much as the change of threads.

    `by_hand`: the coroutine says where it may wait (`ports.may_wait`), and gets no task before.
    """

    __slots__ = ("_by_hand", "_coroutine", "_error", "_loop", "_outstanding", "_result", "_task")

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], loop: asyncio.AbstractEventLoop, *, by_hand: bool = False
    ) -> None:
        self._coroutine = coroutine
        self._loop = loop
        self._by_hand = by_hand
        self._task: asyncio.Task[T] | None = None
        self._result: Done[T] | None = None
        self._error: BaseException | None = None
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
        if not came:
            raise TimeoutError
        return self._outcome()

    def _outcome(self) -> T:
        if self._error is not None:
            raise self._error
        if self._result is not None:
            return self._result.result
        if self._task is None or self._task.cancelled():
            raise CancelledError
        return self._task.result()

    def _begin(self) -> None:
        if not (self._by_hand and self._is_done()):
            self._go_on()

    def _is_done(self) -> bool:
        """Whether it came to its end without waiting; its caller is told."""
        try:
            self._result = begin(self._coroutine)
        except asyncio.CancelledError:
            self._error = CancelledError()
        except BaseException as error:
            self._error = error
        if self._result is None and self._error is None:
            return False
        self._outstanding.release()
        return True

    def _go_on(self) -> None:
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
