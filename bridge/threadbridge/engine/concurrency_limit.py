"""How many turns may be performed at the same time: a place for each, and a queue for those who wait."""

from __future__ import annotations

import asyncio
from collections import deque


class Places:
    """A bounded number of places. Nobody who holds one waits for another, so the queue always moves."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: deque[asyncio.Future[None]] = deque()

    def reserve(self) -> bool:
        """Take a place if one is free."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    async def wait(self, called_off: asyncio.Future[None]) -> bool:
        """Take a place as soon as one is free; False if the wait was called off before."""
        if self.reserve():
            return True
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await asyncio.wait((turn, called_off), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            self._leave_queue(turn)
            raise
        if turn.done():
            return True
        self._leave_queue(turn)
        return False

    def _leave_queue(self, turn: asyncio.Future[None]) -> None:
        if turn.done():
            self.give_back()
        else:
            self._waiting.remove(turn)

    def give_back(self) -> None:
        """Free a place, for the one who waited longest."""
        if self._waiting:
            self._waiting.popleft().set_result(None)
        else:
            self._free += 1
