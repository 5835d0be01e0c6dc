"""Deadlines: a run expires at `created_at` + 600 s, whoever looks first writes it down (A60)."""

from __future__ import annotations

from threadbridge.ports import ObjectKind, Session, Wire
from threadbridge.run_states import RunStatus, is_active
from threadbridge.service.context import ServiceContext
from threadbridge.service.leases import is_leased
from threadbridge.service.run_termination import end_run

#: How long a worker with a live claim may take to close its run itself, with what it has so far.
_GRACE_SECONDS = 5


def is_overdue(session: Session, now: float, run: Wire) -> bool:
    """Whether the run's time is up and nobody is about to say so."""
    if not is_active(run) or now < run["expires_at"]:
        return False
    return now >= run["expires_at"] + _GRACE_SECONDS or not is_leased(session, now, run["id"])


class RunOverdue(Exception):
    """A transaction that only reads met a run whose time is up: settle it, then read again. Users never see it."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


def ensure_not_overdue(session: Session, now: float, run: Wire) -> Wire:
    """The run, which is not due. Raises Overdue otherwise."""
    if is_overdue(session, now, run):
        raise RunOverdue(run["id"])
    return run


def end_if_overdue(session: Session, context: ServiceContext, run: Wire) -> Wire:
    """The run, ended if it is due: expired, or cancelled where that had been asked for."""
    if not is_overdue(session, context.now, run):
        return run
    cancelling = run["status"] == RunStatus.CANCELLING
    return end_run(session, context, run, RunStatus.CANCELLED if cancelling else RunStatus.EXPIRED)


def end_overdue_run(session: Session, context: ServiceContext, run_id: str) -> None:
    """Write down that the run's time is up, if it still is."""
    run = session.get(ObjectKind.RUN, run_id)
    if run is not None:
        end_if_overdue(session, context, run)


def get_active_run(session: Session, context: ServiceContext, thread_id: str) -> Wire | None:
    """The run that locks the thread, after deadlines were looked at."""
    run = session.get_active_run(thread_id)
    if run is None:
        return None
    run = end_if_overdue(session, context, run)
    return run if is_active(run) else None
