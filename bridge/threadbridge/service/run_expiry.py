"""Deadlines: a run expires at `created_at` + 600 s, whoever looks first writes it down (A60)."""

from __future__ import annotations

from threadbridge.ports import Kind, Session, Wire
from threadbridge.run_states import RunStatus, is_active
from threadbridge.service.context import Context
from threadbridge.service.leases import is_held
from threadbridge.service.run_termination import end

#: How long a worker with a live claim may take to close its run itself, with what it has so far.
_GRACE_SECONDS = 5


def is_due(session: Session, now: float, run: Wire) -> bool:
    """Whether the run's time is up and nobody is about to say so."""
    if not is_active(run) or now < run["expires_at"]:
        return False
    return now >= run["expires_at"] + _GRACE_SECONDS or not is_held(session, now, run["id"])


class Overdue(Exception):
    """A transaction that only reads met a run whose time is up: settle it, then read again. Users never see it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


def in_time(session: Session, now: float, run: Wire) -> Wire:
    """The run, which is not due. Raises Overdue otherwise."""
    if is_due(session, now, run):
        raise Overdue(run["id"])
    return run


def settled(session: Session, context: Context, run: Wire) -> Wire:
    """The run, ended if it is due: expired, or cancelled where that had been asked for."""
    if not is_due(session, context.now, run):
        return run
    cancelling = run["status"] == RunStatus.CANCELLING
    return end(session, context, run, RunStatus.CANCELLED if cancelling else RunStatus.EXPIRED)


def settle(session: Session, context: Context, run_id: str) -> None:
    """Write down that the run's time is up, if it still is."""
    run = session.get(Kind.RUN, run_id)
    if run is not None:
        settled(session, context, run)


def active_run(session: Session, context: Context, thread_id: str) -> Wire | None:
    """The run that locks the thread, after deadlines were looked at."""
    run = session.active_run(thread_id)
    if run is None:
        return None
    run = settled(session, context, run)
    return run if is_active(run) else None
