"""The states of a run: every status, every transition, and the fields that a transition sets (A44, A58, A60).

The tables are the specification: code looks transitions up, and tests and documentation are made from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal, Unpack

from threadbridge.api_types import RunChanges, RunObject
from threadbridge.errors import TranslationError


class RunStatus(StrEnum):
    """The status of a run, as in the API."""

    QUEUED = "queued"
    IN_PROGRESS = "in_progress"
    REQUIRES_ACTION = "requires_action"
    CANCELLING = "cancelling"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    INCOMPLETE = "incomplete"
    FAILED = "failed"
    EXPIRED = "expired"


_S = RunStatus

#: Every transition (A58). A status without a row is terminal.
TRANSITIONS: Mapping[RunStatus, frozenset[RunStatus]] = {
    _S.QUEUED: frozenset({_S.IN_PROGRESS, _S.CANCELLING, _S.EXPIRED}),
    _S.IN_PROGRESS: frozenset({_S.REQUIRES_ACTION, _S.COMPLETED, _S.INCOMPLETE, _S.FAILED, _S.CANCELLING, _S.EXPIRED}),
    _S.REQUIRES_ACTION: frozenset({_S.QUEUED, _S.CANCELLING, _S.EXPIRED}),
    # Cancellation is not guaranteed (A61): the response may be complete already.
    _S.CANCELLING: frozenset({_S.CANCELLED, _S.COMPLETED, _S.INCOMPLETE, _S.FAILED}),
}

#: Statuses in which a run locks its thread (A63).
ACTIVE_STATUSES: frozenset[RunStatus] = frozenset(TRANSITIONS)

#: Statuses that end a run.
TERMINAL_STATUSES: frozenset[RunStatus] = frozenset(_S) - ACTIVE_STATUSES

#: The field with the time of the transition to a status.
_TIMESTAMP_FIELDS: Mapping[RunStatus, Literal["started_at", "completed_at", "failed_at", "cancelled_at"]] = {
    _S.IN_PROGRESS: "started_at",  # overwritten at every return to in_progress (A44)
    _S.COMPLETED: "completed_at",
    _S.INCOMPLETE: "completed_at",
    _S.FAILED: "failed_at",
    _S.CANCELLED: "cancelled_at",
}


def is_active(run: RunObject) -> bool:
    """Whether the run locks its thread."""
    return run["status"] in ACTIVE_STATUSES


def can_transition(run: RunObject, status: RunStatus) -> bool:
    """Whether the run can go from its status to this one."""
    return status in TRANSITIONS.get(RunStatus(run["status"]), frozenset())


def transition_run(run: RunObject, status: RunStatus, now: int, **changes: Unpack[RunChanges]) -> RunObject:
    """A copy of the run in the new status, with the time fields of A44 and `changes`.

    Raises TranslationError for a transition that is not in the table.
    """
    if not can_transition(run, status):
        raise TranslationError(f"run {run['id']} cannot go from {run['status']} to {status}")
    after: RunObject = {**run, "status": status.value}
    if status in _TIMESTAMP_FIELDS:
        after[_TIMESTAMP_FIELDS[status]] = now
    if status is not RunStatus.REQUIRES_ACTION:
        after["required_action"] = None
    if status in TERMINAL_STATUSES:
        after["expires_at"] = None
    return {**after, **changes}
