"""What a run has cost: the sum over its turns (A46)."""

from __future__ import annotations

from tests.bridge.translation.upstream_events import WIRE_USAGE
from threadbridge.ports import Turn
from threadbridge.service.run_state import sum_turn_usage
from threadbridge.translation.wire_objects import add_usage


def test_a46_a_run_costs_what_its_turns_cost() -> None:
    turns = [Turn(1, usage=WIRE_USAGE), Turn(2, usage=WIRE_USAGE)]

    assert sum_turn_usage(turns) == add_usage(WIRE_USAGE, WIRE_USAGE)


def test_a46_a_turn_that_never_asked_the_model_costs_nothing() -> None:
    turns = [Turn(1, usage=WIRE_USAGE), Turn(2, report={"warnings": []})]

    assert sum_turn_usage(turns) == WIRE_USAGE


def test_d57_without_any_turn_that_asked_the_model_there_is_no_usage() -> None:
    assert sum_turn_usage([]) is sum_turn_usage([Turn(1)]) is None
