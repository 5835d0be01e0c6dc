"""What a run has cost: the sum over its turns (A46)."""

from __future__ import annotations

from tests.bridge.translation.upstream_events import WIRE_USAGE
from threadbridge.ports import Turn
from threadbridge.service.run_termination import total_usage
from threadbridge.translation.usage import added


def test_a46_a_run_costs_what_its_turns_cost() -> None:
    turns = [Turn(1, usage=WIRE_USAGE), Turn(2, usage=WIRE_USAGE)]

    assert total_usage(turns) == added(WIRE_USAGE, WIRE_USAGE)


def test_a46_a_turn_that_never_asked_the_model_costs_nothing() -> None:
    turns = [Turn(1, usage=WIRE_USAGE), Turn(2, report={"warnings": []})]

    assert total_usage(turns) == WIRE_USAGE


def test_d57_without_any_turn_that_asked_the_model_there_is_no_usage() -> None:
    assert total_usage([]) is total_usage([Turn(1)]) is None
