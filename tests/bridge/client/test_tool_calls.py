from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from tests.bridge.client.wire_objects import call, run, waiting_run
from threadbridge.tool_loop import (
    FIRST_DELAYS,
    MAX_DELAY,
    MIN_DELAY,
    PollBackoff,
    format_error_output,
    format_output,
    get_poll_interval,
    invoke,
    list_pending_calls,
    prepare_call,
)


@dataclass
class Point:
    x: int


class Weather(BaseModel):
    sky: str


@pytest.mark.parametrize(
    ("answer", "output"),
    [
        ("as it is", "as it is"),
        ("", ""),
        (None, "null"),
        (3.5, "3.5"),
        ({"a": [1, True]}, '{"a":[1,true]}'),
        ({1: "one"}, '{"1":"one"}'),
        (Point(1), '{"x":1}'),
        (Weather(sky="blue"), '{"sky":"blue"}'),
        ([Weather(sky="blue")], '[{"sky":"blue"}]'),
        ({"one"}, '["one"]'),
        (datetime.date(2026, 8, 26), '"2026-08-26"'),
    ],
)
def test_answers_are_text_as_it_is_and_json_otherwise(answer: Any, output: str) -> None:
    assert format_output(answer) == output


def test_missing_arguments_are_an_empty_object() -> None:
    ready = prepare_call(call("call_1", "now", ""), {"now": lambda: "noon"})

    assert invoke(ready) == "noon"


def test_functions_without_a_signature_are_called_to_find_out() -> None:
    ready = prepare_call(call("call_1", "dict", '{"a": 1}'), {"dict": dict})

    assert invoke(ready) == '{"a":1}'


def test_an_error_output_survives_text_that_is_no_unicode() -> None:
    assert format_error_output("caf\udce9") == '{"error":"caf?"}'


def test_a_run_that_waits_for_nothing_has_no_calls() -> None:
    assert list_pending_calls(run("completed")) == []
    assert [one["id"] for one in list_pending_calls(waiting_run(call("call_1", "now", "{}")))] == ["call_1"]


def test_pauses_grow_to_a_bound_and_never_below_a_second() -> None:
    pacing = PollBackoff(lambda: 0.0)

    pauses = [pacing.get_next_delay(None) for _ in range(12)]

    assert tuple(pauses[:3]) == FIRST_DELAYS
    assert pauses[3] == MIN_DELAY
    assert pauses[3:] == sorted(pauses[3:])
    assert pauses[-1] == MAX_DELAY


def test_advice_to_hurry_is_not_taken_after_the_third_look() -> None:
    pacing = PollBackoff(lambda: 0.0)

    assert [pacing.get_next_delay(100) for _ in range(5)] == [0.1, 0.1, 0.1, MIN_DELAY, MIN_DELAY]


def test_chance_only_ever_adds() -> None:
    pacing = PollBackoff(lambda: 1.0)

    assert pacing.get_next_delay(4000) == 5.0


@pytest.mark.parametrize(
    ("chosen", "advised", "seconds"), [(None, None, 1.0), (None, 300, 0.3), (20, 300, 0.02), (0, None, 0.0)]
)
def test_the_interval_of_polling(chosen: int | None, advised: int | None, seconds: float) -> None:
    assert get_poll_interval(chosen, advised) == seconds
