"""Every transition of the table is legal, and every other one is rejected."""

from __future__ import annotations

from itertools import product
from typing import Literal, cast

import pytest

from threadbridge.api_types import RunObject
from threadbridge.errors import TranslationError
from threadbridge.run_states import (
    ACTIVE_STATUSES,
    TERMINAL_STATUSES,
    TRANSITIONS,
    RunStatus,
    can_transition,
    is_active,
    transition_run,
)

ALL_PAIRS = list(product(RunStatus, RunStatus))
LEGAL = [(before, after) for before, afters in TRANSITIONS.items() for after in sorted(afters)]
ILLEGAL = [pair for pair in ALL_PAIRS if pair not in LEGAL]


def make_run(status: RunStatus) -> RunObject:
    """A run with the keys that transitions read and write."""
    run = {
        "id": "run_1",
        "status": status.value,
        "started_at": 5,
        "expires_at": 600,
        "cancelled_at": None,
        "failed_at": None,
        "completed_at": None,
        "required_action": {"type": "submit_tool_outputs"},
    }
    return cast("RunObject", run)


@pytest.mark.parametrize(("before", "after"), LEGAL)
def test_a58_a_legal_transition_returns_a_new_run_and_keeps_the_old_one(before: RunStatus, after: RunStatus) -> None:
    run = make_run(before)

    result = transition_run(run, after, 100)

    assert result["status"] == after.value
    assert run == make_run(before)


@pytest.mark.parametrize(("before", "after"), ILLEGAL)
def test_the_error_of_an_illegal_transition_names_both_statuses(before: RunStatus, after: RunStatus) -> None:
    with pytest.raises(TranslationError, match=f"run_1 cannot go from {before} to {after}"):
        transition_run(make_run(before), after, 100)

    assert not can_transition(make_run(before), after)


@pytest.mark.parametrize("status", sorted(TERMINAL_STATUSES))
def test_a44_a_terminal_run_has_no_deadline_and_no_required_action(status: RunStatus) -> None:
    before = next(before for before, afters in TRANSITIONS.items() if status in afters)

    after = transition_run(make_run(before), status, 100)

    assert (after["expires_at"], after["required_action"]) == (None, None)
    assert not is_active(after)


@pytest.mark.parametrize(
    ("status", "field"),
    [
        ("completed", "completed_at"),
        ("incomplete", "completed_at"),
        ("failed", "failed_at"),
        ("in_progress", "started_at"),
    ],
)
def test_a44_a_transition_sets_the_time_of_its_status(
    status: str, field: Literal["started_at", "failed_at", "completed_at"]
) -> None:
    target = RunStatus(status)
    before = next(before for before, afters in TRANSITIONS.items() if target in afters)

    after = transition_run(make_run(before), target, 100)

    assert after[field] == 100


def test_every_status_is_active_or_terminal_and_every_active_one_can_end() -> None:
    def list_reachable(status: RunStatus, seen: frozenset[RunStatus] = frozenset()) -> frozenset[RunStatus]:
        following = TRANSITIONS.get(status, frozenset()) - seen
        return seen.union({status}, *(list_reachable(after, seen | {status}) for after in following))

    assert set(RunStatus) == ACTIVE_STATUSES | TERMINAL_STATUSES
    assert all(list_reachable(status) & TERMINAL_STATUSES for status in ACTIVE_STATUSES)
