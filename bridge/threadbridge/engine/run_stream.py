"""The events of one turn on their way from the worker into the log of the run, and to the reader who asked for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Self

from threadbridge.engine.event_log import EventLog
from threadbridge.errors import BridgeError
from threadbridge.ports import Event
from threadbridge.wire.sse import decode


class Feed(AsyncIterator[Event]):
    """A worker's pen and a reader's bookmark in one log.

    A slow reader makes the worker wait once `limit` events lie between them; a reader who leaves (`aclose`) or is
    given up makes it run free, for a run does not stop because nobody watches (A100). What he did not read stays in
    the log as long as everything else there.
    """

    def __init__(
        self,
        log: EventLog,
        limit: int,
        *,
        has_reader: bool = True,
        shown: Callable[[Event], Event] | None = None,
    ) -> None:
        self.at = log.end
        self._log = log
        self._limit = limit
        self._shown = shown  # what becomes of an event that is told
        self._end: int | None = None
        self._left = not has_reader
        self._free = not has_reader  # the worker waits for nobody
        self._error: BridgeError | None = None
        self._wake_worker: asyncio.Future[None] | None = None
        log.begin(self if has_reader else None)

    # The worker's side ------------------------------------------------------------------------------------------

    @property
    def is_watched(self) -> bool:
        """Whether anybody reads along, so that it is worth telling every word as it comes."""
        return not self._left or self._log.followers > 0

    def put(self, events: Sequence[Event]) -> None:
        """Add events; never waits. See `room` for the bound."""
        if events and self._end is None:
            self._log.append(events if self._shown is None else [self._shown(event) for event in events])

    async def room(self) -> None:
        """Wait until the reader has caught up, or left."""
        while self.is_full:
            self._wake_worker = asyncio.get_running_loop().create_future()
            await self._wake_worker

    @property
    def is_full(self) -> bool:
        """Whether the worker should wait for `room`."""
        return self._log.end - self.at >= self._limit and not self._free

    def end(self, error: BridgeError | None = None) -> None:
        """No more events will come; with an error, the readers meet it after the last one. Again does nothing."""
        if self._end is None:
            self._end = self._log.end
            self._error = error
            self._log.rest(error)

    def give_up(self) -> None:
        """The reader stands still: the run goes on without him. He may still read what the log then holds."""
        self._free = True
        self._log.reader = None

    # The reader's side ------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        return decode(await self.next_frame())

    async def next_frame(self) -> bytes:
        """The next event's frame."""
        log = self._log
        while not self._left:
            if self.at < (log.end if self._end is None else self._end):
                frame = log.frame(self.at)
                self.at += 1
                if self._wake_worker is not None and log.end - self.at < self._limit:
                    self._wake()
                return frame
            if self._end is not None:
                break
            await log.grown()
        error, self._error = self._error, None
        if error is not None and not self._left:
            raise error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """The reader leaves; the run goes on."""
        self._left = self._free = True
        if self._log.reader is self:
            self._log.reader = None
        self._wake()
        self._log.wake()

    def _wake(self) -> None:
        if self._wake_worker is not None and not self._wake_worker.done():
            self._wake_worker.set_result(None)
