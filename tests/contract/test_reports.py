"""The promises of `report_run`, kept by every backend that has it, through every door (see `worlds.py`)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contract.environments import Environment
from tests.contract.test_backend import WEATHER, a_run, a_thread, an_assistant, at_rest, outputs, until
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonValue
from threadbridge.errors import InvalidRequest, NotFound

CALL = 'CALL get_weather {"city": "Bern"}'


async def report(world: Environment, run: JsonValue) -> JsonValue:
    return await world.backend.report_run(CONTEXT, run["thread_id"], run["id"])


def dollars(usage: JsonValue) -> float:
    """By the prices of the worlds, with nothing from the cache."""
    millionths: float = usage["prompt_tokens"] * 2.5 + usage["completion_tokens"] * 10
    return round(millionths / 1e6, 9)


async def test_a_backend_says_that_it_reports_runs(world: Environment) -> None:
    assert world.backend.capabilities.reports_runs


async def test_a_report_tells_what_a_run_sent_and_cost(world: Environment) -> None:
    run = await a_run(world, "SAY one two three")

    told = await report(world, run)

    turn: Any = told["turns"][0]
    assert [told[name] for name in ("run_id", "thread_id", "assistant_id", "status", "model")] == [
        *(run["id"], run["thread_id"], run["assistant_id"]),
        *("completed", "gpt-4o"),
    ]
    assert (turn["number"], turn["usage"], turn["warnings"]) == (1, run["usage"], [])
    assert turn["response_id"].startswith("resp_")
    assert (turn["model"]["requested"], turn["model"]["asked"]) == ("gpt-4o", "gpt-4o")
    assert (turn["history"]["sent"]["messages"], turn["history"]["dropped"]["messages"]) == (1, 0)
    assert turn["cost"] == {"usd": dollars(run["usage"]), "note": None, "not_included": []}


async def test_every_turn_of_a_run_has_its_line_and_the_run_their_sum(world: Environment) -> None:
    waiting = await a_run(world, CALL, tools=[WEATHER])
    await world.backend.submit_tool_outputs(CONTEXT, waiting["thread_id"], waiting["id"], outputs(waiting))
    run = await until(world, waiting["thread_id"], waiting["id"], at_rest)

    told = await report(world, run)

    total = told["totals"]["run"]
    assert [turn["number"] for turn in told["turns"]] == [1, 2]
    assert (total["turns"], total["unpriced_turns"], total["usd"]) == (2, 0, dollars(run["usage"]))
    assert total["prompt_tokens"] == run["usage"]["prompt_tokens"]


async def test_what_was_dropped_is_told_with_its_reason(world: Environment) -> None:
    assistant_id, thread_id = await an_assistant(world), await a_thread(world, "first", "second", "third")
    body = {"assistant_id": assistant_id, "truncation_strategy": {"type": "last_messages", "last_messages": 1}}
    run = await world.backend.create_run(CONTEXT, thread_id, body)
    await until(world, thread_id, run["id"], at_rest)

    told = await report(world, run)

    dropped = told["turns"][0]["history"]["dropped"]
    assert (dropped["messages"], dropped["reason"]) == (2, "truncation_strategy")


async def test_sums_tell_thread_assistant_and_tenant_apart(world: Environment) -> None:
    first = await a_run(world, "SAY one")
    again = await world.backend.create_run(CONTEXT, first["thread_id"], {"assistant_id": first["assistant_id"]})
    await until(world, again["thread_id"], again["id"], at_rest)
    thread_id = await a_thread(world, "elsewhere")
    same_assistant = await world.backend.create_run(CONTEXT, thread_id, {"assistant_id": first["assistant_id"]})
    await until(world, thread_id, same_assistant["id"], at_rest)
    await a_run(world, "SAY somebody else's")

    totals = (await report(world, first))["totals"]

    assert {name: total["turns"] for name, total in totals.items()} == {
        "run": 1,
        "thread": 2,
        "assistant": 3,
        "tenant": 4,
    }


async def test_a_price_nobody_knows_is_unknown_and_never_zero(world: Environment) -> None:
    run = await a_run(world, "SAY one", model="a-model-of-ours")

    told = await report(world, run)

    cost, total = told["turns"][0]["cost"], told["totals"]["run"]
    assert cost["usd"] is None
    assert cost["note"].startswith("The price of a-model-of-ours")
    assert (total["usd"], total["turns"], total["unpriced_turns"]) == (None, 1, 1)


async def test_a_run_that_has_not_begun_has_an_empty_report(world: Environment) -> None:
    run = await a_run(world, "long " * 100, model="gpt-4o")
    small = await world.backend.create_run(
        CONTEXT, run["thread_id"], {"assistant_id": run["assistant_id"], "max_prompt_tokens": 16}
    )
    ended = await until(world, small["thread_id"], small["id"], at_rest)

    told = await report(world, small)

    assert (ended["status"], told["status"]) == ("incomplete", "incomplete")
    assert told["incomplete_details"] == {"reason": "max_prompt_tokens"}
    assert told["turns"][0]["model"]["requested"] == "gpt-4o"
    assert told["turns"][0]["cost"] == {"usd": 0, "note": "No request was sent.", "not_included": []}
    assert (told["totals"]["run"]["turns"], told["totals"]["run"]["usd"]) == (0, 0)


async def test_a_report_of_a_run_that_is_not_there_is_refused(world: Environment) -> None:
    run = await a_run(world, "SAY one")
    elsewhere = await a_thread(world, "elsewhere")

    with pytest.raises(NotFound, match=r"No run found with id"):
        await world.backend.report_run(CONTEXT, elsewhere, run["id"])
    with pytest.raises(NotFound, match=r"No run found with id"):
        await world.backend.report_run(CONTEXT, run["thread_id"], "run_unknown")
    with pytest.raises(InvalidRequest, match=r"Expected an ID that begins with 'run'"):
        await world.backend.report_run(CONTEXT, run["thread_id"], "nonsense")
