"""Limits how many turns run at the same time: a slot for each, and a queue in order of arrival."""

from __future__ import annotations

import asyncio
from collections import deque


class ConcurrencyLimit:
    """A bounded number of slots. A holder never waits for a second one, so the queue cannot deadlock."""

    def __init__(self, limit: int) -> None:
        self._available = limit
        self._waiters: deque[asyncio.Future[None]] = deque()

    def try_acquire(self) -> bool:
        """Acquire a slot if one is free."""
        if self._available == 0:
            return False
        self._available -= 1
        return True

    async def acquire(self, stop_requested: asyncio.Future[None]) -> bool:
        """Acquire a slot as soon as one is free; False if `stop_requested` is set before."""
        if self.try_acquire():
            return True
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await asyncio.wait((waiter, stop_requested), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._leave_queue(waiter)
            raise
        if waiter.done():
            return True
        self._leave_queue(waiter)
        return False

    def _leave_queue(self, waiter: asyncio.Future[None]) -> None:
        if waiter.done():
            self.release()
        else:
            self._waiters.remove(waiter)

    def release(self) -> None:
        """Release a slot to the turn that has waited longest."""
        if self._waiters:
            self._waiters.popleft().set_result(None)
        else:
            self._available += 1
