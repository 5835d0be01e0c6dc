"""The event log of one run: encoded frames in order, for current followers and for those who resume later."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from threadbridge.errors import BridgeError
from threadbridge.ports import Event
from threadbridge.run_states import TERMINAL_STATUSES, RunStatus
from threadbridge.sse import encode_frame_with_id

STREAM_LOST_MESSAGE = "The run goes on, or has ended, without this stream: retrieve it to see how."
_READER_TOO_SLOW_MESSAGE = (
    "This stream was read too slowly, and what comes next is kept no longer. Retrieve the run to see how it is."
)

_TERMINAL_EVENTS = frozenset(f"thread.run.{status.value}" for status in TERMINAL_STATUSES)
_REQUIRES_ACTION_EVENT = f"thread.run.{RunStatus.REQUIRES_ACTION.value}"


class EventLogState(Enum):
    """What may still come into a log."""

    OPEN = auto()  # a turn is being performed
    WAITING = auto()  # the run waits for tool outputs
    ENDED = auto()  # the run has ended
    BROKEN = auto()  # the run continues, but this log receives no more events


class TurnReader(Protocol):
    """The reader of the current turn: events that it has not read are not discarded."""

    @property
    def position(self) -> int:
        """The number of events it has read."""
        ...


class LogRetention(Protocol):
    """Bounds the memory and the lifetime of logs."""

    def account_growth(self, log: EventLog) -> None:
        """Called after the log has grown."""
        ...

    def start_expiry(self, log: EventLog) -> None:
        """Called when the turn in the log has ended."""
        ...


class EventLog:
    """The frames of one run in order, each encoded once. A position is the number of events before it.

    The id of an event is the log's name and the position behind it. The front may be forgotten; positions stay.
    """

    def __init__(self, name: str, retention: LogRetention, *, report_interval_bytes: int = 0) -> None:
        self.name = name
        self.end = 0  # the position behind the last event
        self._retention = retention
        self._report_interval_bytes = report_interval_bytes  # so many bytes
        self._reported_bytes = 0
        self.state = EventLogState.OPEN
        self.error: BridgeError | None = None  # why it is broken
        self.byte_size = 0
        self.start = 0
        self.last_event: Event | None = None
        self.reader: TurnReader | None = None  # of the current turn
        self.follower_count = 0
        self._frames: list[bytes] = []
        self._waiters: list[asyncio.Future[None]] = []

    def find_position(self, event_id: str) -> int | None:
        """The position behind the event of this id; None for one that is not, or no longer, in here."""
        name, _, number = event_id.rpartition("-")
        if name != self.name or not (number.isascii() and number.isdigit()) or len(number) > len(str(self.end)):
            return None
        return int(number) if self.start <= int(number) <= self.end else None

    def build_event_id(self, position: int) -> str:
        """The id of the event that ends at this position."""
        return f"{self.name}-{position}"

    def append(self, events: Sequence[Event]) -> None:
        """Add events and wake all waiting readers."""
        for event in events:
            self.end += 1
            frame = encode_frame_with_id(self.build_event_id(self.end), event)
            self._frames.append(frame)
            self.byte_size += len(frame)
        self.last_event = events[-1]
        if self.byte_size > self._reported_bytes + self._report_interval_bytes:
            self._retention.account_growth(self)
            self._reported_bytes = self.byte_size
        if self._waiters:
            self.notify_waiters()

    def read_frame(self, position: int) -> bytes:
        """The frame of the event behind this position. Raises BridgeError if it was forgotten."""
        if position < self.start:
            raise BridgeError(_READER_TOO_SLOW_MESSAGE, code="events_forgotten")
        return self._frames[position - self.start]

    async def wait_for_change(self) -> None:
        """Wait until events are added or the state changes."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def discard_oldest(self, *, keep_bytes: int) -> None:
        """Forget from the front until at most `keep` bytes are left, but for what the turn's reader has not read."""
        readable = self.end if self.reader is None else self.reader.position
        count = 0
        while self.byte_size > keep_bytes and self.start + count < readable:
            self.byte_size -= len(self._frames[count])
            count += 1
        del self._frames[:count]
        self.start += count
        self._reported_bytes = self.byte_size

    def begin_turn(self, reader: TurnReader | None) -> None:
        """Start a turn with this reader; None: without one."""
        self.state = EventLogState.OPEN
        self.reader = reader

    def end_turn(self, error: BridgeError | None = None) -> None:
        """End the turn; `error` means that its last events are missing."""
        name = "" if self.last_event is None else self.last_event.name
        if error is None and name in _TERMINAL_EVENTS:
            self.state = EventLogState.ENDED
        elif error is None and name == _REQUIRES_ACTION_EVENT:
            self.state = EventLogState.WAITING
        else:
            self.state, self.error = EventLogState.BROKEN, error or BridgeError(STREAM_LOST_MESSAGE)
        self._retention.start_expiry(self)
        self.notify_waiters()

    def notify_waiters(self) -> None:
        """Wake all waiting readers."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)
