"""Ending a run from outside a turn: nobody is talking to the model, only rows have to be closed (A60, A61)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Unpack

from threadbridge.api_types import RunChanges, RunObject, RunStepObject, StepStatus
from threadbridge.ports import ObjectKind, Session, Turn, Wire
from threadbridge.run_states import RunStatus, transition_run
from threadbridge.service.context import ServiceContext
from threadbridge.translation.usage import add_usage, zero_usage
from threadbridge.translation.wire_objects import build_closed_step

#: Run status -> status of the step that was open (A60, A73).
_STEP_STATUSES: Mapping[RunStatus, StepStatus] = {
    RunStatus.CANCELLED: "cancelled",
    RunStatus.EXPIRED: "expired",
    RunStatus.FAILED: "failed",
    RunStatus.INCOMPLETE: "completed",
}


def end_run(
    session: Session, context: ServiceContext, run: RunObject, status: RunStatus, **changes: Unpack[RunChanges]
) -> RunObject:
    """Close the open step and write the run in its final status, with the usage of all its turns (D57)."""
    turns = session.list_turns(run["id"])
    was_requested = run["started_at"] is not None and all(turn.usage is not None for turn in turns)
    changes["usage"] = sum_turn_usage(turns) or (zero_usage() if was_requested else None)
    after = transition_run(run, status, context.unix_seconds, **changes)
    _close_open_step(session, context, after)
    session.put_run(after, None)
    return after


def _close_open_step(session: Session, context: ServiceContext, run: Wire) -> None:
    """The step that waits for tool outputs, if there is one, shares the fate of its run (A60)."""
    step = get_open_step(session, run["id"])
    if step is not None:
        ending = _STEP_STATUSES[RunStatus(run["status"])]
        usage = get_last_turn_usage(session, run["id"])
        session.put(
            ObjectKind.STEP,
            build_closed_step(step, ending, at=context.unix_seconds, usage=usage, last_error=run["last_error"]),
        )


def get_open_step(session: Session, run_id: str) -> RunStepObject | None:
    """The run's step that is still in progress: only ever the newest."""
    newest: Sequence[RunStepObject] = session.get_page(ObjectKind.STEP, limit=1, order="desc", run_id=run_id).data
    return newest[0] if newest and newest[0]["status"] == "in_progress" else None


def sum_turn_usage(turns: Iterable[Turn]) -> Wire | None:
    """What a run has cost so far: the sum over its turns; None before the first (A46)."""
    total: Wire | None = None
    for turn in turns:
        if turn.usage is not None:
            total = add_usage(total, turn.usage)
    return total


def get_last_turn_usage(session: Session, run_id: str) -> Wire:
    """What the turn that opened the newest step cost (A78, G2)."""
    turns = session.list_turns(run_id)
    return (turns[-1].usage if turns else None) or zero_usage()
