"""A queue of requests for each busy thread: in order of arrival, for a bounded time, in a bounded number."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from threadbridge.engine.deadline import timeout_at
from threadbridge.ports import Clock
from threadbridge.service.run_state import ThreadBusy

T = TypeVar("T")

#: Seconds before the first request of a queue looks at its thread again: at first, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_GROWTH = 1.5


class ThreadQueue:
    """Repeats requests until their thread is free. With `max_waiting` 0 no request waits.

    The store alone decides whether a thread is busy, so processes that share it need not know of each other: a request
    is one transaction, which either happened or left nothing. The queue only orders the requests of this process.
    """

    def __init__(self, clock: Clock, *, max_waiting: int, wait_seconds: float) -> None:
        self._clock = clock
        self._free_slots = max_waiting
        self._wait_seconds = wait_seconds
        #: Held by the request that is next. A lock is gone when no request of its thread waits.
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._closing = False

    async def run_when_free(
        self,
        attempt: Callable[[], Awaitable[T]],
        *,
        thread_id: str,
        is_free: Callable[[], Awaitable[bool]],
        deadline: float | None = None,
    ) -> T:
        """The result of `attempt`. `is_free` says, cheaply, whether another attempt is worthwhile.

        Raises what `attempt` raises: ThreadBusy if the thread is still busy after `wait_seconds` or at the deadline.
        """
        if thread_id not in self._locks:
            try:
                return await attempt()
            except ThreadBusy:
                if self._free_slots == 0 or self._closing:
                    raise
        elif self._free_slots == 0 or self._closing:
            return await attempt()
        self._free_slots -= 1
        lock = self._locks.setdefault(thread_id, asyncio.Lock())
        give_up_at = self._clock.now() + self._wait_seconds
        if deadline is not None:
            give_up_at = min(give_up_at, deadline)
        try:
            try:
                async with timeout_at(self._clock, give_up_at):
                    await lock.acquire()
            except TimeoutError:
                return await attempt()
            try:
                pause = _FIRST_PAUSE
                while not self._closing and self._clock.now() < give_up_at:
                    if await is_free():
                        try:
                            return await attempt()
                        except ThreadBusy:
                            pause = _FIRST_PAUSE  # another request was first
                    await self._clock.sleep(pause)
                    pause = min(pause * _GROWTH, _LONGEST_PAUSE)
                return await attempt()
            finally:
                lock.release()
        finally:
            self._free_slots += 1

    def close(self) -> None:
        """Let no request wait any longer."""
        self._closing = True
