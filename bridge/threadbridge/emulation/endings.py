"""Ending a run from outside a turn: nobody is talking to the model, only rows have to be closed (A60, A61)."""

from __future__ import annotations

from collections.abc import Iterable

from threadbridge.emulation.context import Context
from threadbridge.lifecycle import RunStatus, stepped
from threadbridge.ports import Kind, Session, Turn, Wire
from threadbridge.responses.usage import added

#: Run status -> status of the step that was open, and the field that takes the time.
_STEP_ENDINGS: dict[RunStatus, tuple[str, str | None]] = {
    RunStatus.CANCELLED: ("cancelled", "cancelled_at"),
    RunStatus.EXPIRED: ("expired", None),
    RunStatus.FAILED: ("failed", "failed_at"),
    RunStatus.INCOMPLETE: ("completed", "completed_at"),
}


def end(session: Session, context: Context, run: Wire, status: RunStatus, **changes: object) -> Wire:
    """Close the open step and write the run in its final status, with the usage of all its turns."""
    close_open_step(session, context, run["id"], status)
    usage = total_usage(session.turns(run["id"]))
    after = stepped(run, status, context.second, usage=usage, **changes)
    session.put(Kind.RUN, after)
    session.set_lease(run["id"], None)
    return after


def close_open_step(session: Session, context: Context, run_id: str, status: RunStatus) -> None:
    """The step that waits for tool outputs, if there is one, shares the fate of its run (A60)."""
    step = open_step(session, run_id)
    if step is None:
        return
    step_status, stamp = _STEP_ENDINGS[status]
    after = {**step, "status": step_status, "expires_at": None, "usage": last_usage(session, run_id)}
    if stamp:
        after[stamp] = context.second
    session.put(Kind.STEP, after)


def open_step(session: Session, run_id: str) -> Wire | None:
    """The run's step that is still in progress: only ever the newest."""
    newest = session.page(Kind.STEP, limit=1, order="desc", run_id=run_id).data
    return newest[0] if newest and newest[0]["status"] == "in_progress" else None


def total_usage(turns: Iterable[Turn]) -> Wire | None:
    """What a run has cost so far: the sum over its turns; None before the first (A46)."""
    total: Wire | None = None
    for turn in turns:
        total = added(total, turn.usage)
    return total


def last_usage(session: Session, run_id: str) -> Wire | None:
    """What the turn that opened the newest step cost (A78, G2)."""
    turns = session.turns(run_id)
    return turns[-1].usage if turns else None
