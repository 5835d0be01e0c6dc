"""Carries the events of one turn from the turn runner to the run's event log and to the reader of the turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Self

from threadbridge.engine.event_log import EventLog
from threadbridge.errors import BridgeError
from threadbridge.ports import Event
from threadbridge.sse import decode_frame


class RunStream(AsyncIterator[Event]):
    """The writing end of one turn and the position of its reader in one event log.

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
        transform: Callable[[Event], Event] | None = None,
    ) -> None:
        self.position = log.end
        self._log = log
        self._limit = limit
        self._transform = transform  # applied to every event before it is published
        self._end_position: int | None = None
        self._reader_left = not has_reader
        self._is_unbounded = not has_reader  # no back-pressure
        self._error: BridgeError | None = None
        self._writer_waiter: asyncio.Future[None] | None = None
        #: What the reader has not read, for one who takes events as they are; None once nothing bounds it.
        self._unread: deque[Event] | None = deque() if has_reader else None
        log.begin_turn(self if has_reader else None)

    # The worker's side ------------------------------------------------------------------------------------------

    @property
    def has_readers(self) -> bool:
        """Whether the turn has a reader or followers, so that deltas are worth publishing."""
        return not self._reader_left or self._log.follower_count > 0

    def publish(self, events: Sequence[Event]) -> None:
        """Add events; never waits. See `drain` for the bound."""
        if not events or self._end_position is not None:
            return
        if self._transform is not None:
            events = [self._transform(event) for event in events]
        if self._unread is not None:
            self._unread.extend(events)
        self._log.append(events)

    async def drain(self) -> None:
        """Wait until the reader has caught up, or left."""
        while self.is_full:
            self._writer_waiter = asyncio.get_running_loop().create_future()
            await self._writer_waiter

    @property
    def is_full(self) -> bool:
        """Whether the turn runner should wait for `drain`."""
        return self._log.end - self.position >= self._limit and not self._is_unbounded

    def finish(self, error: BridgeError | None = None) -> None:
        """No more events will come; with an error, the readers meet it after the last one. Again does nothing."""
        if self._end_position is None:
            self._end_position = self._log.end
            self._error = error
            self._log.end_turn(error)

    def detach_reader(self) -> None:
        """Stop waiting for a reader that reads nothing. It may still read what the log holds."""
        self._is_unbounded = True
        self._unread = None
        self._log.reader = None

    # The reader's side ------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        await self._wait_for_event()
        if self._unread is None:
            return decode_frame(self._take_frame())
        event = self._unread[0]
        self._take_frame()
        return event._replace(id=self._log.build_event_id(self.position))

    async def next_frame(self) -> bytes:
        """The next event's frame. Raises StopAsyncIteration after the last, BridgeError where the turn broke."""
        await self._wait_for_event()
        return self._take_frame()

    async def _wait_for_event(self) -> None:
        log = self._log
        while not self._reader_left:
            if self.position < (log.end if self._end_position is None else self._end_position):
                return
            if self._end_position is not None:
                break
            await log.wait_for_change()
        error, self._error = self._error, None
        if error is not None and not self._reader_left:
            raise error
        raise StopAsyncIteration

    def _take_frame(self) -> bytes:
        frame = self._log.read_frame(self.position)
        self.position += 1
        if self._unread is not None:
            self._unread.popleft()
        if self._writer_waiter is not None and self._log.end - self.position < self._limit:
            self._wake_writer()
        return frame

    async def aclose(self) -> None:
        """Detach the reader; the run continues."""
        self._reader_left = self._is_unbounded = True
        self._unread = None
        if self._log.reader is self:
            self._log.reader = None
        self._wake_writer()
        self._log.notify_waiters()

    def _wake_writer(self) -> None:
        if self._writer_waiter is not None and not self._writer_waiter.done():
            self._writer_waiter.set_result(None)
