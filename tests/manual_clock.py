"""A clock that only tests advance."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class ManualClock:
    """`ports.Clock` for tests: time passes only in `advance`, which any worker thread may call."""

    def __init__(self, now: float = 1_790_000_000.0) -> None:
        self._now = now
        self._sleepers: list[tuple[float, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []

    def now(self) -> float:
        return self._now

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        self._sleepers.append((self._now + seconds, loop, woken))
        await woken

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[None] = loop.create_future()
        waiting.add_done_callback(lambda done: None if done.cancelled() else callback())
        self._sleepers.append((self._now + seconds, loop, waiting))
        if seconds <= 0:
            _wake(waiting)
        return waiting.cancel

    def advance(self, seconds: float) -> None:
        """Advance the time and wake the sleepers that are due."""
        self._now += seconds
        due = [sleeper for sleeper in self._sleepers if sleeper[0] <= self._now]
        self._sleepers = [sleeper for sleeper in self._sleepers if sleeper[0] > self._now]
        for _, loop, woken in due:
            loop.call_soon_threadsafe(_wake, woken)


def _wake(woken: asyncio.Future[None]) -> None:
    if not woken.done():
        woken.set_result(None)
