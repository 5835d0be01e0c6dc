"""Waiting of requests, until a deadline at most: for events, and in a queue for each busy thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar
from weakref import WeakValueDictionary

from threadbridge.errors import UpstreamTimeout
from threadbridge.ports import Clock, EventReader
from threadbridge.service.run_state import ThreadBusy

DEADLINE_PASSED_MESSAGE = (
    "The deadline of the request passed before the run ended. The run continues; retrieve it to see its status."
)


@asynccontextmanager
async def timeout_at(clock: Clock, deadline: float | None) -> AsyncGenerator[None]:
    """Like `asyncio.timeout_at`, by the time of `clock`. Raises TimeoutError."""
    if deadline is None:
        yield
        return
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        cancel_timer = clock.call_later(max(0.0, deadline - clock.now()), lambda: timeout.reschedule(loop.time()))
        try:
            yield
        finally:
            cancel_timer()


async def wait_for_events(reader: EventReader, clock: Clock, deadline: float | None) -> None:
    """Wait for a change of the reader's stream. Raises UpstreamTimeout at the deadline of the request."""
    try:
        async with timeout_at(clock, deadline):
            await reader.wait()
    except TimeoutError as exc:
        raise UpstreamTimeout(DEADLINE_PASSED_MESSAGE) from exc


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
