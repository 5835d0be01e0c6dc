"""Events of one run on their way from the worker that makes them to the one reader who asked for a stream."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence

from threadbridge.errors import BridgeError
from threadbridge.ports import Event


class Feed(AsyncIterator[Event]):
    """A bounded buffer between one worker and one reader.

    A slow reader makes the worker wait once `limit` events lie here; a reader who leaves (`aclose`) or is given up
    makes it run free, for a run does not stop because nobody watches (A100).
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._events: deque[Event] = deque()
        self._ended = False
        self._left = False
        self._error: BridgeError | None = None
        self._wake_reader: asyncio.Future[None] | None = None
        self._wake_worker: asyncio.Future[None] | None = None

    def put(self, events: Sequence[Event]) -> None:
        """Add events; never waits. See `room` for the bound."""
        if self._left or self._ended or not events:
            return
        self._events.extend(events)
        _wake(self._wake_reader)

    async def room(self) -> None:
        """Wait until the reader has caught up, or left."""
        while self.is_full:
            self._wake_worker = asyncio.get_running_loop().create_future()
            await self._wake_worker

    @property
    def is_full(self) -> bool:
        """Whether the worker should wait for `room`."""
        return len(self._events) >= self._limit and not (self._left or self._ended)

    def end(self, error: BridgeError | None = None) -> None:
        """No more events will come; with an error, the reader meets it after the last one."""
        self._ended = True
        self._error = self._error or error
        _wake(self._wake_reader)

    def give_up(self, error: BridgeError) -> None:
        """The reader stands still: what lies here is still his, and then the error; nothing more is kept for him."""
        self.end(error)

    def __aiter__(self) -> Feed:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._error is not None and not self._left:
                error, self._error = self._error, None
                raise error
            if self._ended or self._left:
                raise StopAsyncIteration
            self._wake_reader = asyncio.get_running_loop().create_future()
            await self._wake_reader
        event = self._events.popleft()
        if self._wake_worker is not None and len(self._events) < self._limit:
            _wake(self._wake_worker)
        return event

    async def aclose(self) -> None:
        """The reader leaves; the run goes on."""
        self._left = True
        self._events.clear()
        _wake(self._wake_worker)
        _wake(self._wake_reader)


def _wake(waiting: asyncio.Future[None] | None) -> None:
    if waiting is not None and not waiting.done():
        waiting.set_result(None)
