"""Numbered differences: stored responses and conversations of the upstream."""

from __future__ import annotations

import asyncio

import pytest

from tests.bridge.engine.upstream_state_fixtures import (
    SWEEP_SECONDS,
    describe_known_items,
    get_continuation,
    list_other_requests,
    list_response_requests,
    list_stored_response_ids,
    list_turn_states,
    run_to_rest,
    wait_for_cleanup,
)
from tests.emulated_service import WEATHER, open_service
from threadbridge_adapters.simulator import FunctionCall, Reasoning, Scenario, ScriptedResponse


@pytest.mark.parametrize("history", ["chained", "conversation"])
async def test_d102_without_stored_responses_the_full_history_is_sent_with_a_warning(
    history: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_service(history=history, upstream={"profile": "vllm"}) as service:
        run = await service.run_to_rest("SAY one")
        await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY two")

        assert await list_turn_states(service, run) == [{"mode": "local", "continues": None, "reason": None}]
        assert [(body["store"], len(body["input"])) for body in service.model_requests] == [(False, 1), (False, 3)]
    assert caplog.text.count(f"history = '{history}' falls back to 'local'") == 1


@pytest.mark.parametrize(("history", "reasoned"), [("local", 0), ("chained", 2), ("conversation", 2)])
async def test_d103_reasoning_of_earlier_runs_is_continued_with_stored_responses(history: str, reasoned: int) -> None:
    async with open_service(history=history) as service:
        service.simulator.enqueue(
            Scenario(response=ScriptedResponse([Reasoning("thought", tokens=9), FunctionCall("get_weather", "{}")]))
        )
        run = await service.submit_outputs(await service.run_to_rest("Hi", tools=[WEATHER], model="gpt-6-sol"))
        await service.post(f"/threads/{run['thread_id']}/messages", role="user", content="SAY more")
        await run_to_rest(service, run["thread_id"], run["assistant_id"])
        sent_types = (
            describe_known_items(service)
            if history != "local"
            else [item["type"] for item in service.model_requests[-1]["input"]]
        )

    assert sent_types.count("reasoning") == reasoned


async def test_d104_a_conversation_locked_for_long_is_not_used() -> None:
    async with open_service(history="conversation", limits={"conversation_lock_seconds": 0}) as service:
        run = await service.run_to_rest("SAY one")
        row = await get_continuation(service, run["thread_id"])
        assert row is not None
        body = {"model": "gpt-4o", "conversation": row["upstream_id"], "input": "SAY mine", "stream": True}
        held, _ = await service.simulator.stream_response(body)
        await anext(held)
        after = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY two")
        await held.aclose()

        assert after["status"] == "completed"
        assert [state["reason"] for state in await list_turn_states(service, after)] == ["locked"]


async def test_d105_a_conversation_with_an_incomplete_turn_is_replaced_and_deleted() -> None:
    async with open_service(history="conversation") as service:
        run = await service.run_to_rest("SAY one")
        row = await get_continuation(service, run["thread_id"])
        assert row is not None
        await run_to_rest(service, run["thread_id"], run["assistant_id"], "FAIL server_error No luck.")
        await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY three")
        others = await wait_for_cleanup(service, request_count=3)

        assert list_response_requests(service)[-1]["conversation"] != row["upstream_id"]
        assert others[2] == f"DELETE /conversations/{row['upstream_id']}"


async def test_d106_deleting_a_thread_deletes_its_conversation_and_not_its_responses() -> None:
    async with open_service(history="conversation") as conversing, open_service(history="chained") as chaining:
        for service in (conversing, chaining):
            run = await service.run_to_rest("SAY one")
            await service.delete(f"/threads/{run['thread_id']}")
        others = await wait_for_cleanup(conversing, request_count=2)
        chaining.clock.advance(SWEEP_SECONDS)
        await asyncio.sleep(0.02)

        assert [each.partition(" ")[0] for each in others] == ["POST", "DELETE"]
        assert (list_other_requests(chaining), len(list_stored_response_ids(chaining))) == ([], 1)
