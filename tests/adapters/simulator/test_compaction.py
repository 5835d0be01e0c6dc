"""Long contexts are compacted by the simulator as recordings show the service to do it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.simulator.simulator_client import (
    collect_events,
    create_response,
    expect_rejection,
    make_request,
    user,
)
from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import Simulator, SimulatorLimits

LONG = "and so on, " * 500
RULE: JsonObject = {"context_management": [{"type": "compaction", "compact_threshold": 1000}]}


async def compacted(simulator: Simulator) -> JsonObject:
    """The output item that stands for a long question and its answer."""
    *_, item = (await create_response(simulator, make_request(LONG, **RULE)))["output"]
    return dict(item)


async def test_what_is_beyond_the_threshold_is_compacted_after_the_answer(simulator: Simulator) -> None:
    response = await create_response(simulator, make_request(LONG, **RULE))

    assert [item["type"] for item in response["output"]] == ["message", "compaction"]
    assert list(response["output"][1]) == ["id", "type", "encrypted_content"]


@pytest.mark.parametrize("more", [RULE, {}, {"context_management": [{"type": "compaction"}]}])
async def test_what_is_short_or_not_to_be_compacted_stays(simulator: Simulator, more: JsonObject) -> None:
    question = "short" if more is RULE else LONG

    response = await create_response(simulator, make_request(question, **more))

    assert [item["type"] for item in response["output"]] == ["message"]


async def test_a_compaction_is_streamed_whole(simulator: Simulator) -> None:
    told = await collect_events(simulator, make_request(LONG, **RULE))

    of_item = [event for event in told if (event.get("item") or JsonObject()).get("type") == "compaction"]
    assert [event["type"] for event in of_item] == ["response.output_item.added", "response.output_item.done"]
    assert of_item[0]["item"] == of_item[1]["item"] == told[-1]["response"]["output"][-1]


async def test_the_model_reads_from_the_compaction_on(simulator: Simulator) -> None:
    item = await compacted(simulator)

    whole = await create_response(simulator, {"model": "sim-1", "input": [user(LONG), item, user("short")]})
    pruned = await create_response(simulator, {"model": "sim-1", "input": [item, user("short")]})
    counted = simulator.count_input_tokens({"model": "sim-1", "input": [user(LONG), item, user("short")]})

    assert whole["usage"] == pruned["usage"]
    assert counted["input_tokens"] == whole["usage"]["input_tokens"] < 100


async def test_a_compaction_that_was_changed_on_the_way_is_refused(simulator: Simulator) -> None:
    item = await compacted(simulator)
    changed = {**item, "encrypted_content": item["encrypted_content"][:-4]}

    error = await expect_rejection(simulator, {"model": "sim-1", "input": [changed, user("short")]})

    assert error.code == "invalid_encrypted_content"


@pytest.mark.parametrize(
    ("rules", "param"),
    [
        ({}, "context_management"),
        ([{"compact_threshold": 1000}], "context_management[0].type"),
        ([{"type": "summary"}], "context_management[0].type"),
        ([{"type": "compaction", "compact_threshold": 999}], "context_management[0].compact_threshold"),
    ],
)
async def test_rules_of_another_shape_are_refused(simulator: Simulator, rules: Any, param: str) -> None:
    error = await expect_rejection(simulator, make_request("short", context_management=rules))

    assert (error.status, error.param) == (400, param)


async def test_a_context_longer_than_the_window_is_refused_in_the_recorded_words() -> None:
    narrow = Simulator(limits=SimulatorLimits(context_tokens=100))

    error = await expect_rejection(narrow, make_request(LONG))

    assert (error.status, error.param, error.code) == (400, "input", "context_length_exceeded")
    assert error.message.startswith("Your input exceeds the context window of this model.")
