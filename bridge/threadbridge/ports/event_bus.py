"""The port of the event bus: the events of a run, published by the turn that makes them, followed by position.

A position is the number of events before it. Events are published once, in order, and every follower of a run reads
the same frames under the same ids, however late it comes and whichever process it asks. The bus is no record of the
run: the store is. A bus that has lost events says so, and the engine replays what the store holds.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto
from typing import Protocol

from threadbridge.errors import BridgeError
from threadbridge.ports.executor import RunReference
from threadbridge.sse import Event

#: The error of followers whose run may have continued, but whose events ended.
STREAM_LOST_MESSAGE = "This stream broke off; the run may continue or have ended. Retrieve it to see its status."


class StreamState(Enum):
    """What may still follow the events that are published so far."""

    OPEN = auto()  # a turn is being performed
    WAITING = auto()  # the run waits for tool outputs; the next turn continues the stream
    ENDED = auto()  # the run has ended
    BROKEN = auto()  # the run may continue, but no more of its events arrive here


class EventReader(Protocol):
    """Reads the events of one run from a position on, at its own pace: it never delays the publisher."""

    @property
    def position(self) -> int:
        """The position of the next event to read."""
        ...

    @property
    def end(self) -> int:
        """The position behind the last published event."""
        ...

    @property
    def state(self) -> StreamState:
        """What may follow the last published event, whether or not it is read."""
        ...

    @property
    def error(self) -> BridgeError | None:
        """Why the stream is broken."""
        ...

    @property
    def last_event(self) -> Event | None:
        """The last event that was published."""
        ...

    def read_frames(self, limit: int) -> Sequence[bytes]:
        """The next events, at most `limit`, as SSE frames with their ids (`sse.encode_frame`); empty after the newest.

        Raises BridgeError with code `events_forgotten` if the bus discarded the next event before it was read.
        """
        ...

    async def wait(self) -> None:
        """Wait until there is an event to read, the state changes, or `EventBus.notify` or `close` is called.

        Returns at once for a stream that is over and for a closed reader. May return without a cause.
        """
        ...

    def open_turn(self) -> EventPublisher:
        """The publisher that continues the stream of a run that waits: for a follower that finds the run's end in the
        store. A bus that reads the stream from another process never says `WAITING`; that process looks itself.
        """
        ...

    def close(self) -> None:
        """Stop reading. Closing again does nothing."""
        ...


class EventPublisher(Protocol):
    """The writing end of one turn."""

    @property
    def end(self) -> int:
        """The position behind the last event."""
        ...

    @property
    def reader_count(self) -> int:
        """How many readers are open, here or in other processes. With none, deltas need not be published."""
        ...

    def publish(self, events: Sequence[Event]) -> None:
        """Append at least one event and wake the readers. Never waits and never fails; called for every token."""
        ...

    def end_turn(self, state: StreamState, error: BridgeError | None = None) -> None:
        """Say what follows the last event. Readers of a broken stream get the error after the last event.

        From now on the events are kept for the time and the size that `settings.Limits` (`replay_…`) allow; those of a
        run that waits are kept until its deadline, the `expires_at` of its last event, and as long again.
        """
        ...

    def open_turn_reader(self) -> EventReader:
        """The reader of the client that requested the turn, from the end of the log. Its unread events are kept, beyond
        all limits, until it is closed or `release_turn_reader` is called: the caller bounds them by not publishing.
        """
        ...

    def release_turn_reader(self) -> None:
        """Keep the unread events of the turn's reader no longer than others."""
        ...


class EventBus(Protocol):
    """Carries the events of runs from the process that performs a turn to all that follow the run.

    Runs are identified by tenant and id. Called on one event loop.
    """

    def open_turn(self, run: RunReference) -> EventPublisher:
        """The publisher of the run's next turn. It continues the stream of a run that waits (`is_waiting`); any other
        earlier stream of the run is replaced.
        """
        ...

    def is_waiting(self, run: RunReference) -> bool:
        """Whether the run's stream is held here and waits for the next turn."""
        ...

    async def follow(self, run: RunReference, after: str | None = None) -> EventReader | None:
        """A reader that continues after the event with this id; None: from the first event of the run.

        The result is None if the bus does not hold these events any more, or never held them.
        """
        ...

    def notify(self, run: RunReference) -> None:
        """Wake the readers of a run that waits, because the store holds news of it."""
        ...

    def discard_expired(self) -> None:
        """Discard the events whose time is over. Called now and then."""
        ...

    async def aclose(self) -> None:
        """End every stream that is open or waits as broken. Readers may still read what was published."""
        ...
