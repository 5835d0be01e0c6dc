"""How many turns may be performed at the same time: a place for each, and a queue for those who wait."""

from __future__ import annotations

import asyncio
from collections import deque


class ConcurrencyLimit:
    """A bounded number of places. Nobody who holds one waits for another, so the queue always moves."""

    def __init__(self, limit: int) -> None:
        self._available = limit
        self._waiters: deque[asyncio.Future[None]] = deque()

    def try_acquire(self) -> bool:
        """Take a place if one is free."""
        if self._available == 0:
            return False
        self._available -= 1
        return True

    async def acquire(self, stop_requested: asyncio.Future[None]) -> bool:
        """Take a place as soon as one is free; False if the wait was called off before."""
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
        """Free a place, for the one who waited longest."""
        if self._waiters:
            self._waiters.popleft().set_result(None)
        else:
            self._available += 1
