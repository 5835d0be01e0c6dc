"""The state of a run between turns: its lease, its deadline, its end, and the lock on its thread (A42, A60, A61)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Unpack

from threadbridge.api_types import RunChanges, RunObject, RunStepObject, StepStatus, UsageObject
from threadbridge.errors import InvalidRequest
from threadbridge.ports import Lease, ObjectKind, Session, Turn
from threadbridge.run_states import RunStatus, is_active, transition_run
from threadbridge.service.context import ServiceContext
from threadbridge.translation.wire_objects import add_usage, build_closed_step, zero_usage

#: Statuses in which a worker has something to do for the run.
_UNFINISHED = frozenset({RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.CANCELLING})
#: How much longer than a new lease a valid one may run: a transaction may have waited so long since its time was taken.
_CLOCK_TOLERANCE_SECONDS = 15
#: How long after its deadline a run with a valid lease is left to its worker, which ends it with its partial output.
_GRACE_SECONDS = 5
#: Run status -> status of the step that was open (A60, A73).
_STEP_STATUSES: Mapping[RunStatus, StepStatus] = {
    RunStatus.CANCELLED: "cancelled",
    RunStatus.EXPIRED: "expired",
    RunStatus.FAILED: "failed",
    RunStatus.INCOMPLETE: "completed",
}


# Leases: which worker executes a run (docs/explanation/architecture.md)


def build_lease(context: ServiceContext) -> Lease:
    """A lease of this worker from now on. After it expires, another worker may execute the run."""
    return Lease(context.owner, context.now + context.rules.limits.lease_seconds)


def is_own_lease(context: ServiceContext, lease: Lease | None) -> bool:
    """Whether this worker acquired the run's lease last."""
    return lease is not None and lease.owner == context.owner


def is_unfinished(run: RunObject) -> bool:
    """Whether a worker has something to do for the run."""
    return run["status"] in _UNFINISHED


def get_latest_expiry(now: float, lease_seconds: float) -> float:
    """When a lease that was acquired by now expires at the latest. A later one is invalid: the clock was set back."""
    return now + lease_seconds + _CLOCK_TOLERANCE_SECONDS


def is_lease_valid(lease: Lease | None, now: float, *, lease_seconds: float) -> bool:
    """Whether there is a lease and it has neither expired nor an impossible end."""
    return lease is not None and now < lease.expires_at <= get_latest_expiry(now, lease_seconds)


def is_abandoned(session: Session, now: float, run: RunObject, *, lease_seconds: float) -> bool:
    """Whether the run is unfinished and no worker holds a valid lease: the process that executed it is gone."""
    return is_unfinished(run) and not is_lease_valid(session.get_lease(run["id"]), now, lease_seconds=lease_seconds)


# Deadlines: a run expires at `expires_at`; the first transaction that reads it afterwards writes this down (A60)


class RunOverdue(Exception):
    """A read-only transaction met a run past its deadline. End the run, then read again; users never see this error."""

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id)
        self.run_id = run_id


def is_overdue(session: Session, now: float, run: RunObject) -> bool:
    """Whether the run is past its deadline and no worker is about to end it."""
    expires_at = run["expires_at"]
    if not is_active(run) or expires_at is None or now < expires_at:
        return False
    if now >= expires_at + _GRACE_SECONDS:
        return True
    lease = session.get_lease(run["id"])
    return lease is None or lease.expires_at <= now


def ensure_not_overdue(session: Session, now: float, run: RunObject) -> RunObject:
    """The run, unchanged. Raises RunOverdue when it is past its deadline."""
    if is_overdue(session, now, run):
        raise RunOverdue(run["id"])
    return run


def end_if_overdue(session: Session, context: ServiceContext, run: RunObject) -> RunObject:
    """The run, ended if it is past its deadline: cancelled if cancellation was requested, otherwise expired."""
    if not is_overdue(session, context.now, run):
        return run
    cancelling = run["status"] == RunStatus.CANCELLING
    return end_run(session, context, run, RunStatus.CANCELLED if cancelling else RunStatus.EXPIRED)


def end_overdue_run(session: Session, context: ServiceContext, run_id: str) -> None:
    """End the run if it exists and is still past its deadline."""
    run = session.get(ObjectKind.RUN, run_id)
    if run is not None:
        end_if_overdue(session, context, run)


# The end of a run outside a turn: there is no request to the model, only rows to close (A60, A61)


def end_run(
    session: Session, context: ServiceContext, run: RunObject, status: RunStatus, **changes: Unpack[RunChanges]
) -> RunObject:
    """Close the open step and write the run in its final status, with the usage of all its turns (D57)."""
    turns = session.list_turns(run["id"])
    was_requested = run["started_at"] is not None and all(turn.usage is not None for turn in turns)
    changes["usage"] = sum_turn_usage(turns) or (zero_usage() if was_requested else None)
    after = transition_run(run, status, context.unix_seconds, **changes)
    step = get_open_step(session, run["id"])
    if step is not None:  # it waits for tool outputs and ends as its run does (A60)
        ending = _STEP_STATUSES[status]
        usage = get_last_turn_usage(session, run["id"])
        closed = build_closed_step(step, ending, at=context.unix_seconds, usage=usage, last_error=after["last_error"])
        session.put(ObjectKind.STEP, closed)
    session.put_run(after, None)
    return after


def get_open_step(session: Session, run_id: str) -> RunStepObject | None:
    """The run's step that is in progress, which can only be the newest; None when there is none."""
    newest = session.get_page(ObjectKind.STEP, limit=1, order="desc", run_id=run_id).data
    return newest[0] if newest and newest[0]["status"] == "in_progress" else None


def sum_turn_usage(turns: Iterable[Turn]) -> UsageObject | None:
    """The usage of a run so far: the sum over its turns; None before the first turn with a usage (A46)."""
    total: UsageObject | None = None
    for turn in turns:
        if turn.usage is not None:
            total = add_usage(total, turn.usage)
    return total


def get_last_turn_usage(session: Session, run_id: str) -> UsageObject:
    """The usage of the turn that opened the newest step (A78, G2)."""
    turns = session.list_turns(run_id)
    return (turns[-1].usage if turns else None) or zero_usage()


# The thread lock: an active run allows no new messages and no second run on its thread (A42, A52, A63)


class ThreadBusy(InvalidRequest):
    """Rejected because a run is active on the thread; the same request can succeed later."""


def get_active_run(session: Session, context: ServiceContext, thread_id: str) -> RunObject | None:
    """The run that locks the thread, if any. A run past its deadline is ended first."""
    run = session.get_active_run(thread_id)
    if run is None:
        return None
    run = end_if_overdue(session, context, run)
    return run if is_active(run) else None


def ensure_messages_allowed(session: Session, context: ServiceContext, thread_id: str) -> None:
    """Raises ThreadBusy while a run is active; clients parse the text (A42, C1)."""
    run = get_active_run(session, context, thread_id)
    if run is not None:
        raise ThreadBusy(f"Can't add messages to {thread_id} while a run {run['id']} is active.")


def ensure_run_allowed(session: Session, context: ServiceContext, thread_id: str) -> None:
    """Raises ThreadBusy while another run is active (A52)."""
    run = get_active_run(session, context, thread_id)
    if run is not None:
        raise ThreadBusy(f"Thread {thread_id} already has an active run {run['id']}.")


def may_be_unlocked(session: Session, now: float, thread_id: str) -> bool:
    """Whether a request rejected with ThreadBusy can be tried again: no run is active, or it is past its deadline."""
    run = session.get_active_run(thread_id)
    return run is None or is_overdue(session, now, run)
