"""What was told of one run, frame by frame, for everybody who follows it now or comes back for the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from threadbridge.errors import BridgeError
from threadbridge.ports import Event
from threadbridge.run_states import TERMINAL, RunStatus
from threadbridge.wire.sse import encode_as

ELSEWHERE = "The run goes on, or has ended, without this stream: retrieve it to see how."
_OVERTAKEN = (
    "This stream was read too slowly, and what comes next is kept no longer. Retrieve the run to see how it is."
)

_LAST_WORDS = frozenset(f"thread.run.{status.value}" for status in TERMINAL)
_WAITING_WORDS = f"thread.run.{RunStatus.REQUIRES_ACTION.value}"


class State(Enum):
    """What may still come into a log."""

    TELLING = auto()  # a turn is being performed
    WAITING = auto()  # the run waits for tool outputs
    OVER = auto()  # the run has ended
    BROKEN = auto()  # the run goes on, and is told here no more


class Reader(Protocol):
    """Who is entitled to everything from where he is."""

    @property
    def at(self) -> int:
        """His position."""
        ...


class Keeper(Protocol):
    """Who sees to it that logs do not take too much room or too much time."""

    def grew(self, log: EventLog) -> None:
        """There is more in the log."""
        ...

    def rests(self, log: EventLog) -> None:
        """The turn that was told in the log is over."""
        ...


class EventLog:
    """The frames of one run in order, each encoded once. A position is the number of events before it.

    The id of an event is the log's name and the position behind it. The front may be forgotten; positions stay.
    """

    def __init__(self, name: str, keeper: Keeper, *, reports_every: int = 0) -> None:
        self.name = name
        self.end = 0  # the position behind the last event
        self._keeper = keeper
        self._reports_every = reports_every  # so many bytes
        self._reported = 0
        self.state = State.TELLING
        self.error: BridgeError | None = None  # why it is broken
        self.bytes = 0
        self.dropped = 0
        self.last: Event | None = None
        self.reader: Reader | None = None  # who asked for the turn that is told
        self.followers = 0
        self._frames: list[bytes] = []
        self._waiting: list[asyncio.Future[None]] = []

    def position(self, event_id: str) -> int | None:
        """The position behind the event of this id; None for one that is not, or no longer, in here."""
        name, _, number = event_id.rpartition("-")
        if name != self.name or not (number.isascii() and number.isdigit()) or len(number) > len(str(self.end)):
            return None
        return int(number) if self.dropped <= int(number) <= self.end else None

    def append(self, events: Sequence[Event]) -> None:
        """Add events and wake whoever waits for them."""
        for event in events:
            self.end += 1
            frame = encode_as(f"{self.name}-{self.end}", event)
            self._frames.append(frame)
            self.bytes += len(frame)
        self.last = events[-1]
        if self.bytes > self._reported + self._reports_every:
            self._keeper.grew(self)
            self._reported = self.bytes
        if self._waiting:
            self.wake()

    def frame(self, at: int) -> bytes:
        """The frame of the event behind this position. Raises BridgeError if it was forgotten."""
        if at < self.dropped:
            raise BridgeError(_OVERTAKEN, code="events_forgotten")
        return self._frames[at - self.dropped]

    async def grown(self) -> None:
        """Wait until there is more, or the state has changed."""
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except asyncio.CancelledError:
            if waiting in self._waiting:
                self._waiting.remove(waiting)
            raise

    def forget(self, *, keep: int) -> None:
        """Forget from the front until at most `keep` bytes are left, but for what the turn's reader has not read."""
        readable = self.end if self.reader is None else self.reader.at
        count = 0
        while self.bytes > keep and self.dropped + count < readable:
            self.bytes -= len(self._frames[count])
            count += 1
        del self._frames[:count]
        self.dropped += count
        self._reported = self.bytes

    def begin(self, reader: Reader | None) -> None:
        """A turn begins to be told, to this reader first of all."""
        self.state = State.TELLING
        self.reader = reader

    def rest(self, error: BridgeError | None = None) -> None:
        """The turn was told; with an error, not to its end."""
        name = "" if self.last is None else self.last.name
        if error is None and name in _LAST_WORDS:
            self.state = State.OVER
        elif error is None and name == _WAITING_WORDS:
            self.state = State.WAITING
        else:
            self.state, self.error = State.BROKEN, error or BridgeError(ELSEWHERE)
        self._keeper.rests(self)
        self.wake()

    def wake(self) -> None:
        """Have everybody who waits look again."""
        waiting, self._waiting = self._waiting, []
        for reader in waiting:
            if not reader.done():
                reader.set_result(None)
