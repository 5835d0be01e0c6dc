"""Where requests wait for a thread that is busy: in order of arrival, for a bounded time, in a bounded number."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from threadbridge.ports import Clock
from threadbridge.service.run_state import ThreadBusy

T = TypeVar("T")

#: Seconds before a waiting request looks at its thread again: at first, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_GROWTH = 1.5


class ThreadQueue:
    """Has requests done again until their thread takes them.

    The store alone decides whether a thread is busy, so processes that share it need not know of each other: a request
    is one transaction, which either happened or left nothing. Within a process those who wait for the same thread
    wait in order of arrival. With `max_waiting` 0 no request waits.
    """

    def __init__(self, clock: Clock, *, max_waiting: int, wait_seconds: float) -> None:
        self._clock = clock
        self._free_slots = max_waiting
        self._wait_seconds = wait_seconds
        self._queues: dict[str, deque[asyncio.Future[None]]] = {}
        self._closing = False

    async def run_when_free(
        self, attempt: Callable[[], Awaitable[T]], *, thread_id: str, is_free: Callable[[], Awaitable[bool]]
    ) -> T:
        """What `ask` gives. `is_free` says, cheaply, whether asking again may be worth it.

        Raises what `ask` raises: ThreadBusy, if the thread was still busy when the time was up.
        """
        if thread_id not in self._queues:
            try:
                return await attempt()
            except ThreadBusy:
                if not self._has_free_slot():
                    raise
        elif not self._has_free_slot():
            return await attempt()
        self._free_slots -= 1
        try:
            return await self._wait_in_queue(thread_id, attempt, is_free)
        finally:
            self._free_slots += 1

    def close(self) -> None:
        """Nobody waits any longer."""
        self._closing = True

    def _has_free_slot(self) -> bool:
        return self._free_slots > 0 and not self._closing

    async def _wait_in_queue(
        self, thread_id: str, attempt: Callable[[], Awaitable[T]], is_free: Callable[[], Awaitable[bool]]
    ) -> T:
        deadline = self._clock.now() + self._wait_seconds
        queue = self._queues.setdefault(thread_id, deque())
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(waiter)
        if queue[0] is waiter:
            waiter.set_result(None)
        try:
            await self._wait_until_first(waiter, deadline)
            return await self._retry_until_free(attempt, is_free, deadline)
        finally:
            self._leave_queue(thread_id, queue, waiter)

    def _leave_queue(self, thread_id: str, queue: deque[asyncio.Future[None]], waiter: asyncio.Future[None]) -> None:
        queue.remove(waiter)
        if not queue:
            del self._queues[thread_id]
        elif not queue[0].done():
            queue[0].set_result(None)

    async def _wait_until_first(self, waiter: asyncio.Future[None], deadline: float) -> None:
        """Those before wait no longer than this one, for they came earlier and are as patient."""
        while not waiter.done() and not self._is_timed_out(deadline):
            pause = asyncio.ensure_future(self._clock.sleep(_LONGEST_PAUSE))
            try:
                await asyncio.wait((waiter, pause), return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()

    async def _retry_until_free(
        self, attempt: Callable[[], Awaitable[T]], is_free: Callable[[], Awaitable[bool]], deadline: float
    ) -> T:
        pause = _FIRST_PAUSE
        while not self._is_timed_out(deadline):
            if await is_free():
                try:
                    return await attempt()
                except ThreadBusy:
                    pause = _FIRST_PAUSE  # another request was first
            await self._clock.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        return await attempt()

    def _is_timed_out(self, deadline: float) -> bool:
        return self._closing or self._clock.now() >= deadline
