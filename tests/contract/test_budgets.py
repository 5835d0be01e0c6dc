"""Truncation and budgets as clients meet them, through every door (A79 to A81)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.environments import Environment
from tests.contract.test_backend import (
    WEATHER,
    a_thread,
    an_assistant,
    at_rest,
    names,
    outputs,
    until,
)
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonValue
from threadbridge.errors import BridgeError

LAST = "truncation_strategy.last_messages"


async def begun(world: Environment, *texts: str, tools: list[JsonValue] | None = None, **body: object) -> JsonValue:
    """A new run on a thread with these messages."""
    assistant_id = await an_assistant(world, tools=tools or [])
    return await world.backend.create_run(
        CONTEXT, await a_thread(world, *texts), {"assistant_id": assistant_id, **body}
    )


async def rested(world: Environment, run: JsonValue) -> JsonValue:
    return await until(world, run["thread_id"], run["id"], at_rest)


async def turns(world: Environment, run: JsonValue) -> list[JsonValue]:
    return list((await world.backend.report_run(CONTEXT, run["thread_id"], run["id"]))["turns"])


@pytest.mark.parametrize(
    ("body", "param", "code", "message"),
    [
        (
            {"truncation_strategy": {"type": "last_messages", "last_messages": 0}},
            LAST,
            "integer_below_min_value",
            f"Invalid '{LAST}': integer below minimum value. Expected a value >= 1, but got 0 instead.",
        ),
        (
            {"truncation_strategy": {"type": "last_messages", "last_messages": "2"}},
            LAST,
            "invalid_type",
            f"Invalid type for '{LAST}': expected an integer, but got a string instead.",
        ),
        (
            {"truncation_strategy": {"type": "middle"}},
            "truncation_strategy.type",
            "invalid_value",
            "Invalid value: 'middle'. Supported values are: 'auto' and 'last_messages'.",
        ),
        (
            {"max_prompt_tokens": 15},
            "max_prompt_tokens",
            "integer_below_min_value",
            "Invalid 'max_prompt_tokens': integer below minimum value. Expected a value >= 16, but got 15 instead.",
        ),
        (
            {"max_completion_tokens": True},
            "max_completion_tokens",
            "invalid_type",
            "Invalid type for 'max_completion_tokens': expected an integer, but got a boolean instead.",
        ),
    ],
)
async def test_a79_a80_what_no_run_can_mean_is_refused(
    world: Environment, body: JsonValue, param: str, code: str, message: str
) -> None:
    with pytest.raises(BridgeError) as refused:
        await begun(world, "Hi", **body)

    error: Any = refused.value
    assert (error.status, error.param, error.code, error.message) == (400, param, code, message)
    assert world.list_request_texts() == []


async def test_a79_last_messages_beside_auto_is_ignored(world: Environment) -> None:
    run = await rested(world, await begun(world, "a", "b", truncation_strategy={"type": "auto", "last_messages": 1}))

    assert run["truncation_strategy"] == {"type": "auto", "last_messages": None}
    assert world.list_request_texts() == [["a", "b"]]


async def test_a80_a_budget_too_small_for_the_newest_message_ends_the_run_and_the_report_says_so(
    world: Environment,
) -> None:
    run = await rested(world, await begun(world, "first", "long " * 100, max_prompt_tokens=50))
    (turn,) = await turns(world, run)

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert world.list_request_texts() == []
    assert turn["history"]["fits"] is False
    assert turn["history"]["budget"] == {"tokens": 50, "source": "max_prompt_tokens"}
    assert (turn["history"]["sent"]["messages"], turn["history"]["dropped"]["messages"]) == (0, 2)
    assert turn["history"]["dropped"]["reason"] == "max_prompt_tokens"


async def test_a80_both_budgets_are_for_all_turns_of_a_run(world: Environment) -> None:
    waiting = await rested(world, await begun(world, "CALL get_weather {}", tools=[WEATHER], max_prompt_tokens=200))
    await world.backend.submit_tool_outputs(
        CONTEXT, waiting["thread_id"], waiting["id"], outputs(waiting, "sunny " * 150)
    )
    run = await rested(world, waiting)
    first, second = await turns(world, run)

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_prompt_tokens"})
    assert second["history"]["budget"]["tokens"] == 200 - first["usage"]["prompt_tokens"]
    assert run["usage"]["prompt_tokens"] == first["usage"]["prompt_tokens"]


async def test_a81_a_stream_at_its_limit_closes_message_step_and_run_in_order(world: Environment) -> None:
    assistant_id = await an_assistant(world)
    body = {"assistant_id": assistant_id, "max_completion_tokens": 16}

    stream = await world.backend.stream_run(CONTEXT, await a_thread(world, f"SAY {'word ' * 40}"), body)
    events = [event async for event in stream]

    message, step, run = events[-3:]
    assert names(events)[-3:] == ["thread.message.incomplete", "thread.run.step.completed", "thread.run.incomplete"]
    assert (message.data["status"], message.data["incomplete_details"]) == ("incomplete", {"reason": "max_tokens"})
    assert message.data["incomplete_at"] is not None
    assert step.data["usage"]["completion_tokens"] == 16
    assert (run.data["status"], run.data["incomplete_details"]) == ("incomplete", {"reason": "max_completion_tokens"})
    assert run.data["usage"]["completion_tokens"] == 16
