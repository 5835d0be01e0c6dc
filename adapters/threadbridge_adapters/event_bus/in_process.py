"""The event bus of a single process: one log in memory for each run, with bounds on its size and its lifetime."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from threadbridge.errors import BridgeError
from threadbridge.ports import Clock, Event, EventReader, IdGenerator, RunReference, StreamState
from threadbridge.ports.event_bus import STREAM_LOST_MESSAGE
from threadbridge.settings import Limits
from threadbridge.sse import encode_frame_with_id

_READER_TOO_SLOW_MESSAGE = (
    "This stream was read too slowly, so its next events were discarded. Retrieve the run to see its status."
)
#: Letters and digits of an id that make a log's name: few, for they are in every frame, yet no two logs share them.
_NAME_LENGTH = 10
#: The part of its limit that is left of a log that grew too long, so that not every further event discards another.
_TRIM_RATIO = 0.75
#: How often the size of a log is accounted for while it grows to its limit.
_REPORTS_PER_LIMIT = 1000


class EventLog:
    """`ports.EventPublisher`: the frames of one run in order, each encoded once.

    The id of an event is the log's name and the position behind it. Positions stay when the oldest frames are
    discarded.
    """

    def __init__(self, run: RunReference, name: str, bus: InProcessEventBus, *, report_interval_bytes: int) -> None:
        self.run = run
        self.name = name
        self.start = 0  # the position of the oldest frame that is kept
        self.end = 0
        self.state = StreamState.OPEN
        self.error: BridgeError | None = None
        self.last_event: Event | None = None
        self.byte_size = 0
        self.counted_bytes = 0  # the part of `byte_size` that the bus has counted
        self.expires_at: float | None = None  # None while a turn is performed
        self.reader_count = 0
        self.turn_reader: LogReader | None = None
        self._bus = bus
        self._report_interval_bytes = report_interval_bytes
        self._frames: list[bytes] = []
        self._waiters: list[asyncio.Future[None]] = []

    def open_turn(self) -> EventLog:
        """Take part in no expiry until the turn ends."""
        self.state, self.expires_at, self.turn_reader = StreamState.OPEN, None, None
        return self

    def publish(self, events: Sequence[Event]) -> None:
        for event in events:
            self.end += 1
            frame = encode_frame_with_id(f"{self.name}-{self.end}", event)
            self._frames.append(frame)
            self.byte_size += len(frame)
        self.last_event = events[-1]
        if self.byte_size > self.counted_bytes + self._report_interval_bytes:
            self._bus.account_growth(self)
        if self._waiters:
            self.wake_readers()

    def end_turn(self, state: StreamState, error: BridgeError | None = None) -> None:
        self.state, self.error = state, error
        self._bus.start_expiry(self)
        self.wake_readers()

    def open_turn_reader(self) -> LogReader:
        self.turn_reader = LogReader(self, self.end)
        return self.turn_reader

    def release_turn_reader(self) -> None:
        self.turn_reader = None

    def find_position(self, event_id: str) -> int | None:
        """The position behind the event with this id; None if the log does not hold what follows it."""
        name, _, number = event_id.rpartition("-")
        if name != self.name or not (number.isascii() and number.isdigit()) or len(number) > len(str(self.end)):
            return None
        return int(number) if self.start <= int(number) <= self.end else None

    def read_frames(self, position: int, limit: int) -> list[bytes]:
        """The frames from this position on, at most `limit`. Raises BridgeError if the first one was discarded."""
        if position < self.start:
            raise BridgeError(_READER_TOO_SLOW_MESSAGE, code="events_forgotten")
        first = position - self.start
        return self._frames[first : first + limit]

    def discard_oldest(self, *, keep_bytes: int) -> None:
        """Discard frames until at most `keep_bytes` are left, except those that the turn's reader has not read."""
        readable = self.end if self.turn_reader is None else self.turn_reader.position
        count = 0
        while self.byte_size > keep_bytes and self.start + count < readable:
            self.byte_size -= len(self._frames[count])
            count += 1
        del self._frames[:count]
        self.start += count

    async def wait_for_change(self) -> None:
        """Wait until `wake_readers` is called."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter in self._waiters:
                self._waiters.remove(waiter)
            raise

    def wake_readers(self) -> None:
        """Wake all waiting readers."""
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)


class LogReader:
    """`ports.EventReader` of one log."""

    def __init__(self, log: EventLog, position: int) -> None:
        self.position = position
        self._log = log
        self._is_closed = False
        log.reader_count += 1

    @property
    def end(self) -> int:
        return self._log.end

    @property
    def state(self) -> StreamState:
        return self._log.state

    @property
    def error(self) -> BridgeError | None:
        return self._log.error

    @property
    def last_event(self) -> Event | None:
        return self._log.last_event

    def read_frames(self, limit: int) -> Sequence[bytes]:
        if self.position == self._log.end:
            return ()
        frames = self._log.read_frames(self.position, limit)
        self.position += len(frames)
        return frames

    async def wait(self) -> None:
        is_over = self._log.state in {StreamState.ENDED, StreamState.BROKEN}
        if self.position == self._log.end and not is_over and not self._is_closed:
            await self._log.wait_for_change()

    def open_turn(self) -> EventLog:
        return self._log.open_turn()

    def close(self) -> None:
        if not self._is_closed:
            self._is_closed = True
            self._log.reader_count -= 1
            if self._log.turn_reader is self:
                self._log.release_turn_reader()
            self._log.wake_readers()


class InProcessEventBus:
    """`ports.EventBus`. Logs are kept while a turn runs or the run waits for outputs, and `replay_seconds` longer.

    Beyond `replay_bytes_per_run` a log loses its oldest events, as far as the reader of the turn has read them. Beyond
    `replay_bytes` whole logs are discarded: of those that are not growing, the ones that were opened first.
    """

    def __init__(self, limits: Limits, clock: Clock, new_id: IdGenerator) -> None:
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._logs: dict[RunReference, EventLog] = {}  # in the order in which they were opened
        self._total_bytes = 0

    def find_log(self, run: RunReference) -> EventLog | None:
        """The log of the run, unless it has expired."""
        log = self._logs.get(run)
        if log is not None and self._is_expired(log):
            self._discard(log)
            return None
        return log

    def open_turn(self, run: RunReference) -> EventLog:
        log = self.find_log(run)
        if log is None or log.state is not StreamState.WAITING:
            if log is not None:
                self._discard(log)
            max_bytes = min(self._limits.replay_bytes_per_run, self._limits.replay_bytes)
            name = self._new_id("log")[-_NAME_LENGTH:]
            log = EventLog(run, name, self, report_interval_bytes=max_bytes // _REPORTS_PER_LIMIT)
            self._logs[run] = log
        return log.open_turn()

    def is_waiting(self, run: RunReference) -> bool:
        log = self.find_log(run)
        return log is not None and log.state is StreamState.WAITING

    async def follow(self, run: RunReference, after: str | None = None) -> EventReader | None:
        log = self.find_log(run)
        if log is None:
            return None
        if after is not None:
            position = log.find_position(after)
        else:  # the stream broke before a client followed it: the store has more
            position = 0 if log.start == 0 and log.state is not StreamState.BROKEN else None
        return None if position is None else LogReader(log, position)

    def notify(self, run: RunReference) -> None:
        if self.is_waiting(run):
            self._logs[run].wake_readers()

    def discard_expired(self) -> None:
        for log in [log for log in self._logs.values() if self._is_expired(log)]:
            self._discard(log)

    async def aclose(self) -> None:
        for log in self._logs.values():
            if log.state in {StreamState.OPEN, StreamState.WAITING}:
                log.end_turn(StreamState.BROKEN, BridgeError(STREAM_LOST_MESSAGE))

    # Called by logs -----------------------------------------------------------------------------------------------

    def account_growth(self, log: EventLog) -> None:
        """Count the bytes that the log has grown by, and discard what exceeds the limits."""
        if not self._count_bytes(log):
            return
        limits = self._limits
        if log.byte_size > limits.replay_bytes_per_run:
            log.discard_oldest(keep_bytes=int(limits.replay_bytes_per_run * _TRIM_RATIO))
            self._count_bytes(log)
        if self._total_bytes > limits.replay_bytes:
            for other in [other for other in self._logs.values() if other.expires_at is not None]:
                self._discard(other)
                if self._total_bytes <= limits.replay_bytes:
                    return
            log.discard_oldest(keep_bytes=int(log.byte_size * _TRIM_RATIO))
            self._count_bytes(log)

    def start_expiry(self, log: EventLog) -> None:
        """Let the log expire in a while; that of a waiting run, a while after the run's deadline."""
        self._count_bytes(log)
        since = self._clock.now()
        if log.state is StreamState.WAITING and log.last_event is not None:
            since = float(log.last_event.data["expires_at"])
        log.expires_at = since + self._limits.replay_seconds

    def _count_bytes(self, log: EventLog) -> bool:
        """Add what the log has grown by; False for a discarded log that a reader still holds."""
        is_registered = self._logs.get(log.run) is log
        if is_registered:
            self._total_bytes += log.byte_size - log.counted_bytes
        log.counted_bytes = log.byte_size
        return is_registered

    def _discard(self, log: EventLog) -> None:
        del self._logs[log.run]
        self._total_bytes -= log.counted_bytes
        log.discard_oldest(keep_bytes=0)

    def _is_expired(self, log: EventLog) -> bool:
        return log.expires_at is not None and log.expires_at <= self._clock.now()
