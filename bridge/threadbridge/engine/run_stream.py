"""The events of one turn: published by the turn runner, read by the client that requested the turn."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Self

from threadbridge.errors import BridgeError
from threadbridge.ports import Event, EventPublisher, EventReader, StreamState
from threadbridge.ports.event_bus import STREAM_LOST_MESSAGE
from threadbridge.run_states import TERMINAL_STATUSES, RunStatus
from threadbridge.sse import decode_frame, get_frame_id

#: What may follow the event that ends a turn. After any other event the end of the turn is missing.
_STATE_AFTER_EVENT = {f"thread.run.{status.value}": StreamState.ENDED for status in TERMINAL_STATUSES} | {
    f"thread.run.{RunStatus.REQUIRES_ACTION.value}": StreamState.WAITING
}

#: Frames that are read together, so that one chunk stays small.
_MAX_FRAMES = 256


class RunStream(AsyncIterator[Event]):
    """Publishes the events of one turn and iterates over them for the reader of the turn, if it has one.

    Once `limit` events are unread, `is_full` asks the turn runner to wait. A reader that leaves (`aclose`) or is
    detached delays the run no longer, for a run does not stop because no client reads its events (A100). Detached, it
    may still read what the event bus holds.
    """

    def __init__(
        self,
        publisher: EventPublisher,
        limit: int,
        *,
        has_reader: bool = True,
        transform: Callable[[Event], Event] | None = None,
        wait: Callable[[EventReader], Awaitable[None]] | None = None,
    ) -> None:
        self._publisher = publisher
        self._limit = limit
        self._transform = transform  # applied to every event before it is published
        self._wait = wait  # replaces `EventReader.wait`, to wait until a deadline for example
        self._reader = publisher.open_turn_reader() if has_reader else None
        self._is_detached = False
        #: The unread events of a reader that takes them parsed; None once nothing bounds their number.
        self._unread: deque[Event] | None = deque() if has_reader else None
        self._last_event: Event | None = None
        self._end_position: int | None = None  # None while the turn is performed
        self._error: BridgeError | None = None
        self._writer_waiter: asyncio.Future[None] | None = None

    # The turn runner's side -------------------------------------------------------------------------------------

    @property
    def has_readers(self) -> bool:
        """Whether the turn has a reader or followers, so that deltas are worth publishing."""
        return self._publisher.reader_count > 0

    @property
    def is_full(self) -> bool:
        """Whether the turn runner should wait for `drain`."""
        return (
            self._reader is not None
            and not self._is_detached
            and self._publisher.end - self._reader.position >= self._limit
        )

    def publish(self, events: Sequence[Event]) -> None:
        """Publish events; never waits (see `is_full`). Does nothing after `finish`."""
        if not events or self._end_position is not None:
            return
        if self._transform is not None:
            events = [self._transform(event) for event in events]
        if self._unread is not None:
            self._unread.extend(events)
        self._last_event = events[-1]
        self._publisher.publish(events)

    async def drain(self) -> None:
        """Wait until the reader has caught up or left."""
        while self.is_full:
            self._writer_waiter = asyncio.get_running_loop().create_future()
            await self._writer_waiter

    def finish(self, error: BridgeError | None = None) -> None:
        """End the turn; readers get the error after the last event. Finishing again does nothing."""
        if self._end_position is not None:
            return
        self._end_position = self._publisher.end
        self._error = error
        state = StreamState.BROKEN
        if error is None and self._last_event is not None:
            state = _STATE_AFTER_EVENT.get(self._last_event.name, StreamState.BROKEN)
        if state is StreamState.BROKEN:
            error = error or BridgeError(STREAM_LOST_MESSAGE)
        self._publisher.end_turn(state, error)

    def detach_reader(self) -> None:
        """Stop waiting for a reader that does not read. It may still read what the event bus holds."""
        self._is_detached = True
        self._unread = None
        self._publisher.release_turn_reader()

    # The reader's side ------------------------------------------------------------------------------------------

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        (frame,) = await self._read_frames(1)
        # As it was published, so that a program pays for no encoding and decoding.
        event = self._unread.popleft() if self._unread is not None else None
        return decode_frame(frame) if event is None else event._replace(id=get_frame_id(frame))

    async def next_frames(self) -> Sequence[bytes]:
        """The frames of the next events, of all that are there.

        Raises StopAsyncIteration after the last one, BridgeError if the turn broke.
        """
        self._unread = None
        return await self._read_frames(_MAX_FRAMES)

    async def _read_frames(self, limit: int) -> Sequence[bytes]:
        while (reader := self._reader) is not None and reader.position != self._end_position:
            readable = limit if self._end_position is None else min(limit, self._end_position - reader.position)
            frames = reader.read_frames(readable)
            if not frames:
                await (reader.wait() if self._wait is None else self._wait(reader))
                continue
            if self._writer_waiter is not None and not self.is_full:
                self._wake_writer()
            return frames
        error, self._error = self._error, None
        if error is not None and self._reader is not None:
            raise error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Close the reader; the run continues."""
        reader, self._reader = self._reader, None
        self._unread = None
        if reader is not None:
            reader.close()
        self._wake_writer()

    def _wake_writer(self) -> None:
        if self._writer_waiter is not None and not self._writer_waiter.done():
            self._writer_waiter.set_result(None)
