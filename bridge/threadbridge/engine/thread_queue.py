"""Where requests wait for a thread that is busy: in order of arrival, for a bounded time, in a bounded number."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeVar

from threadbridge.ports import Clock, may_wait
from threadbridge.service.thread_lock import ThreadBusy

T = TypeVar("T")

#: Seconds before a waiting request looks at its thread again: at first, and at most.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.25
_GROWTH = 1.5


class WaitingRoom:
    """Has requests done again until their thread takes them.

    The store alone decides whether a thread is busy, so processes that share it need not know of each other: a request
    is one transaction, which either happened or left nothing. Within a process those who wait for the same thread
    wait in line. With no seats nobody waits.
    """

    def __init__(self, clock: Clock, *, seats: int, patience: float) -> None:
        self._clock = clock
        self._free = seats
        self._patience = patience
        self._lines: dict[str, deque[asyncio.Future[None]]] = {}
        self._closing = False

    async def served(
        self, ask: Callable[[], Awaitable[T]], *, thread_id: str, is_free: Callable[[], Awaitable[bool]]
    ) -> T:
        """What `ask` gives. `is_free` says, cheaply, whether asking again may be worth it.

        Raises what `ask` raises: ThreadBusy, if the thread was still busy when the time was up.
        """
        if thread_id not in self._lines:
            try:
                return await ask()
            except ThreadBusy:
                await may_wait()
                if not self._may_wait():
                    raise
        else:
            await may_wait()
            if not self._may_wait():
                return await ask()
        self._free -= 1
        try:
            return await self._in_line(thread_id, ask, is_free)
        finally:
            self._free += 1

    def close(self) -> None:
        """Nobody waits any longer."""
        self._closing = True

    def _may_wait(self) -> bool:
        return self._free > 0 and not self._closing

    async def _in_line(
        self, thread_id: str, ask: Callable[[], Awaitable[T]], is_free: Callable[[], Awaitable[bool]]
    ) -> T:
        until = self._clock.now() + self._patience
        line = self._lines.setdefault(thread_id, deque())
        first: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        line.append(first)
        if line[0] is first:
            first.set_result(None)
        try:
            await self._until_first(first, until)
            return await self._until_free(ask, is_free, until)
        finally:
            self._leave(thread_id, line, first)

    def _leave(self, thread_id: str, line: deque[asyncio.Future[None]], who: asyncio.Future[None]) -> None:
        line.remove(who)
        if not line:
            del self._lines[thread_id]
        elif not line[0].done():
            line[0].set_result(None)

    async def _until_first(self, first: asyncio.Future[None], until: float) -> None:
        """Those before wait no longer than this one, for they came earlier and are as patient."""
        while not first.done() and not self._is_over(until):
            pause = asyncio.ensure_future(self._clock.sleep(_LONGEST_PAUSE))
            try:
                await asyncio.wait((first, pause), return_when=asyncio.FIRST_COMPLETED)
            finally:
                pause.cancel()

    async def _until_free(
        self, ask: Callable[[], Awaitable[T]], is_free: Callable[[], Awaitable[bool]], until: float
    ) -> T:
        pause = _FIRST_PAUSE
        while not self._is_over(until):
            if await is_free():
                try:
                    return await ask()
                except ThreadBusy:
                    pause = _FIRST_PAUSE  # somebody else was quicker
            await self._clock.sleep(pause)
            pause = min(pause * _GROWTH, _LONGEST_PAUSE)
        return await ask()

    def _is_over(self, until: float) -> bool:
        return self._closing or self._clock.now() >= until
