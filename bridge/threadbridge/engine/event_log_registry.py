"""The logs of this process's runs: who has one, how long it is kept, and how much memory all of them may take."""

from __future__ import annotations

from dataclasses import dataclass, field

from threadbridge.engine.event_log import EventLog, State
from threadbridge.ports import Clock, NewId
from threadbridge.settings import Limits

#: Letters and digits of an id that make a log's name: few, for they are in every frame, yet no two logs share them.
_NAME_LENGTH = 10
#: What is left of a log that grew too long, so that forgetting is not done for every event.
_LEFT = 0.75
#: How often a log that grows to its bound is counted on the way.
_REPORTS = 1000


@dataclass(slots=True)
class _Kept:
    """A log, what was counted of it, and when it may be forgotten; None while a turn is told."""

    log: EventLog
    bytes: int = 0
    until: float | None = None


@dataclass(slots=True)
class EventLogs:
    """Logs by run: kept while a turn is told or the run waits for outputs, and `replay_seconds` longer.

    Beyond `replay_bytes_per_run` a log loses its oldest events, as far as the reader of the turn has read them. Beyond
    `replay_bytes` the logs that were opened first and are at rest go whole.
    """

    limits: Limits
    clock: Clock
    new_id: NewId
    _kept: dict[str, _Kept] = field(default_factory=dict[str, _Kept])  # by run, in the order of opening
    _runs: dict[str, str] = field(default_factory=dict[str, str])  # by the names of their logs
    _bytes: int = 0

    def find(self, run_id: str) -> EventLog | None:
        """The run's log, if it has one that is not too old."""
        kept = self._kept.get(run_id)
        if kept is not None and _is_old(kept, self.clock.now()):
            self._forget(run_id)
            return None
        return None if kept is None else kept.log

    def waiting(self, run_id: str) -> EventLog | None:
        """The run's log, if it can be gone on with."""
        log = self.find(run_id)
        return log if log is not None and log.state is State.WAITING else None

    def opened(self, run_id: str) -> EventLog:
        """A log for the run's next turn: the one that can be gone on with, or a new one."""
        log = self.waiting(run_id)
        if log is None:
            self._forget(run_id)
            most = min(self.limits.replay_bytes_per_run, self.limits.replay_bytes)
            log = EventLog(self.new_id("log")[-_NAME_LENGTH:], self, reports_every=most // _REPORTS)
            self._kept[run_id] = _Kept(log)
            self._runs[log.name] = run_id
        self._kept[run_id].until = None
        return log

    def forget_old(self) -> None:
        """Forget every log whose time is over."""
        now = self.clock.now()
        for run_id in [run_id for run_id, kept in self._kept.items() if _is_old(kept, now)]:
            self._forget(run_id)

    # What logs say of themselves --------------------------------------------------------------------------------

    def grew(self, log: EventLog) -> None:
        """Count, and forget what is too much."""
        kept = self._of(log)
        if kept is not None:
            self._count(kept)
            if log.bytes > self.limits.replay_bytes_per_run or self._bytes > self.limits.replay_bytes:
                self._make_room(kept)

    def rests(self, log: EventLog) -> None:
        """From now on the log's days are numbered; those of a run that waits begin when it expires at the latest."""
        kept = self._of(log)
        if kept is not None:
            self._count(kept)
            waits = log.state is State.WAITING and log.last is not None
            since = float(log.last.data["expires_at"]) if waits and log.last is not None else self.clock.now()
            kept.until = since + self.limits.replay_seconds

    # Room -------------------------------------------------------------------------------------------------------

    def _of(self, log: EventLog) -> _Kept | None:
        """None for a log that was forgotten, and of which somebody still reads the rest."""
        return self._kept.get(self._runs.get(log.name, ""))

    def _count(self, kept: _Kept) -> None:
        self._bytes += kept.log.bytes - kept.bytes
        kept.bytes = kept.log.bytes

    def _make_room(self, kept: _Kept) -> None:
        if kept.log.bytes > self.limits.replay_bytes_per_run:
            kept.log.forget(keep=int(self.limits.replay_bytes_per_run * _LEFT))
            self._count(kept)
        resting = [run_id for run_id, other in self._kept.items() if other.until is not None]
        for run_id in resting:
            if self._bytes <= self.limits.replay_bytes:
                return
            self._forget(run_id)
        if self._bytes > self.limits.replay_bytes:
            kept.log.forget(keep=int(kept.bytes * _LEFT))
            self._count(kept)

    def _forget(self, run_id: str) -> None:
        kept = self._kept.pop(run_id, None)
        if kept is not None:
            del self._runs[kept.log.name]
            self._bytes -= kept.bytes
            kept.log.forget(keep=0)


def _is_old(kept: _Kept, now: float) -> bool:
    return kept.until is not None and kept.until <= now
