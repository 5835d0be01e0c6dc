"""The logs of this process's runs: who has one, how long it is kept, and how much memory all of them may take."""

from __future__ import annotations

from dataclasses import dataclass, field

from threadbridge.engine.event_log import EventLog, EventLogState
from threadbridge.ports import Clock, IdGenerator
from threadbridge.settings import Limits

#: Letters and digits of an id that make a log's name: few, for they are in every frame, yet no two logs share them.
_NAME_LENGTH = 10
#: What is left of a log that grew too long, so that forgetting is not done for every event.
_TRIM_RATIO = 0.75
#: How often a log that grows to its bound is counted on the way.
_REPORTS_PER_LIMIT = 1000


@dataclass(slots=True)
class _RegisteredLog:
    """A log, its counted size, and when it expires; None while a turn is running."""

    log: EventLog
    counted_bytes: int = 0
    expires_at: float | None = None


@dataclass(slots=True)
class EventLogRegistry:
    """Logs by run: kept while a turn runs or the run waits for outputs, and `replay_seconds` longer.

    Beyond `replay_bytes_per_run` a log loses its oldest events, as far as the reader of the turn has read them. Beyond
    `replay_bytes` the logs that were opened first and are at rest go whole.
    """

    limits: Limits
    clock: Clock
    new_id: IdGenerator
    _entries: dict[str, _RegisteredLog] = field(
        default_factory=dict[str, _RegisteredLog]
    )  # by run, in the order of opening
    _run_ids: dict[str, str] = field(default_factory=dict[str, str])  # by the names of their logs
    _total_bytes: int = 0

    def find(self, run_id: str) -> EventLog | None:
        """The run's log, if it has one that is not too old."""
        entry = self._entries.get(run_id)
        if entry is not None and _is_expired(entry, self.clock.now()):
            self._discard(run_id)
            return None
        return None if entry is None else entry.log

    def find_waiting(self, run_id: str) -> EventLog | None:
        """The run's log, if the run waits for outputs and its next turn can be appended."""
        log = self.find(run_id)
        return log if log is not None and log.state is EventLogState.WAITING else None

    def open_for_turn(self, run_id: str) -> EventLog:
        """A log for the run's next turn: that of the waiting run, or a new one."""
        log = self.find_waiting(run_id)
        if log is None:
            self._discard(run_id)
            max_bytes = min(self.limits.replay_bytes_per_run, self.limits.replay_bytes)
            log = EventLog(
                self.new_id("log")[-_NAME_LENGTH:], self, report_interval_bytes=max_bytes // _REPORTS_PER_LIMIT
            )
            self._entries[run_id] = _RegisteredLog(log)
            self._run_ids[log.name] = run_id
        self._entries[run_id].expires_at = None
        return log

    def discard_expired(self) -> None:
        """Forget every log whose time is over."""
        now = self.clock.now()
        for run_id in [run_id for run_id, entry in self._entries.items() if _is_expired(entry, now)]:
            self._discard(run_id)

    # What logs say of themselves --------------------------------------------------------------------------------

    def account_growth(self, log: EventLog) -> None:
        """Count, and forget what is too much."""
        entry = self._find_entry(log)
        if entry is not None:
            self._update_size(entry)
            if log.byte_size > self.limits.replay_bytes_per_run or self._total_bytes > self.limits.replay_bytes:
                self._enforce_limits(entry)

    def start_expiry(self, log: EventLog) -> None:
        """From now on the log's days are numbered; those of a run that waits begin when it expires at the latest."""
        entry = self._find_entry(log)
        if entry is not None:
            self._update_size(entry)
            waits = log.state is EventLogState.WAITING and log.last_event is not None
            since = (
                float(log.last_event.data["expires_at"]) if waits and log.last_event is not None else self.clock.now()
            )
            entry.expires_at = since + self.limits.replay_seconds

    # Room -------------------------------------------------------------------------------------------------------

    def _find_entry(self, log: EventLog) -> _RegisteredLog | None:
        """None for a discarded log that a reader still holds."""
        return self._entries.get(self._run_ids.get(log.name, ""))

    def _update_size(self, entry: _RegisteredLog) -> None:
        self._total_bytes += entry.log.byte_size - entry.counted_bytes
        entry.counted_bytes = entry.log.byte_size

    def _enforce_limits(self, entry: _RegisteredLog) -> None:
        if entry.log.byte_size > self.limits.replay_bytes_per_run:
            entry.log.discard_oldest(keep_bytes=int(self.limits.replay_bytes_per_run * _TRIM_RATIO))
            self._update_size(entry)
        resting = [run_id for run_id, other in self._entries.items() if other.expires_at is not None]
        for run_id in resting:
            if self._total_bytes <= self.limits.replay_bytes:
                return
            self._discard(run_id)
        if self._total_bytes > self.limits.replay_bytes:
            entry.log.discard_oldest(keep_bytes=int(entry.counted_bytes * _TRIM_RATIO))
            self._update_size(entry)

    def _discard(self, run_id: str) -> None:
        entry = self._entries.pop(run_id, None)
        if entry is not None:
            del self._run_ids[entry.log.name]
            self._total_bytes -= entry.counted_bytes
            entry.log.discard_oldest(keep_bytes=0)


def _is_expired(entry: _RegisteredLog, now: float) -> bool:
    return entry.expires_at is not None and entry.expires_at <= now
