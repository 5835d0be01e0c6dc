"""`history = "chained"`: a response continues from the last one, and the model sees the same history as otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.engine.upstream_state_fixtures import (
    describe_input,
    describe_known_items,
    get_continuation,
    list_stored_response_ids,
    list_turn_reports,
    list_turn_states,
    run_to_rest,
)
from tests.emulated_service import WEATHER, EmulatedService, get_required_calls, message_text, open_service
from threadbridge.api_types import RunObject

DAY = 86_400
CHAINED: dict[str, Any] = {"history": "chained"}


async def newest_message(service: EmulatedService, thread_id: str) -> str:
    page = await service.get(f"/threads/{thread_id}/messages", limit="1")
    return str(page.body["data"][0]["id"])


async def test_a_run_sends_what_the_last_response_does_not_know_and_its_own_instructions() -> None:
    async with open_service(**CHAINED) as service:
        assistant_id = await service.create_assistant(instructions="Be brief.")
        thread_id = await service.create_thread("SAY one")
        first = await run_to_rest(service, thread_id, assistant_id)
        second = await run_to_rest(service, thread_id, assistant_id, "SAY two", additional_instructions="Be kind.")
        first_response = (await list_turn_states(service, second))[0]["continues"]

        assert [body["store"] for body in service.model_requests] == [True, True]
        assert "previous_response_id" not in service.model_requests[0]
        assert service.model_requests[1]["previous_response_id"] == first_response
        assert (describe_input(service.model_requests[1]), service.model_requests[1]["instructions"]) == (
            ["user: SAY two"],
            "Be brief.\nBe kind.",
        )
        assert describe_known_items(service) == ["user: SAY one", "assistant: one", "user: SAY two"]
        assert await list_turn_states(service, first) == [
            {"mode": "chained", "continues": None, "reason": "nothing_kept"}
        ]


async def test_within_a_run_only_the_outputs_are_sent() -> None:
    async with open_service(**CHAINED) as service:
        run = await service.run_to_rest("CALL get_weather {}\nCALL get_weather {}\nSAY done", tools=[WEATHER])
        await service.submit_outputs(run, "rain")
        after = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY more")

        assert describe_input(service.model_requests[1]) == ["function_call_output rain", "function_call_output rain"]
        assert describe_input(service.model_requests[2]) == ["user: SAY more"]
        assert after["status"] == "completed"


async def test_a_run_with_nothing_new_sends_no_item() -> None:
    async with open_service(**CHAINED) as service:
        run = await service.run_to_rest("SAY one")
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"])

        assert (service.model_requests[1]["input"], again["status"]) == ([], "completed")


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_response_that_is_gone_is_made_up_for_within_the_turn(*, streamed: bool) -> None:
    async with open_service(**CHAINED) as service:
        run = await service.run_to_rest("CALL get_weather {}\nSAY done", tools=[WEATHER])
        service.simulator.delete_response((await list_turn_reports(service, run))[0]["response_id"])
        path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
        outputs = [{"tool_call_id": call_of(run), "output": "rain"}]
        events = await service.collect_events(path, tool_outputs=outputs) if streamed else []
        current: RunObject = run if streamed else (await service.post(path, tool_outputs=outputs)).body
        ended = await service.wait_until_rest(current)
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY more")

        assert ended["status"] == "completed"
        assert [event.name for event in events][-2:] == (["thread.run.completed", "done"] if streamed else [])
        assert (await list_turn_states(service, run))[1] == {
            "mode": "chained",
            "continues": None,
            "reason": "not_found",
        }
        assert [describe_input(body) for body in service.model_requests[1:]] == [
            ["function_call_output rain"],
            ["user: CALL get_weather {}\nSAY done", "function_call", "function_call_output rain"],
            ["user: SAY more"],
        ]
        assert (await list_turn_states(service, again))[0]["reason"] is None


def call_of(run: RunObject) -> str:
    return str(get_required_calls(run)[0]["id"])


async def test_a_service_that_keeps_nothing_after_all_costs_one_request_more_and_no_run() -> None:
    async with open_service(**CHAINED) as service:
        assistant_id, thread_id = await service.create_assistant(), await service.create_thread("SAY one")
        for text in ("two", "three"):
            await run_to_rest(service, thread_id, assistant_id)
            for response_id in list_stored_response_ids(service):
                service.simulator.delete_response(response_id)
            await service.post(f"/threads/{thread_id}/messages", role="user", content=f"SAY {text}")
        run = await run_to_rest(service, thread_id, assistant_id)

        assert run["status"] == "completed"
        assert len(service.model_requests) == 1 + 2 + 2
        assert describe_input(service.model_requests[-1]) == [
            "user: SAY one",
            "assistant: one",
            "user: SAY two",
            "assistant: two",
            "user: SAY three",
        ]


async def test_a_message_that_was_deleted_is_not_known_any_more() -> None:
    async with open_service(**CHAINED) as service:
        assistant_id, thread_id = await service.create_assistant(), await service.create_thread("SAY one")
        await run_to_rest(service, thread_id, assistant_id)
        await service.delete(f"/threads/{thread_id}/messages/{await newest_message(service, thread_id)}")
        run = await run_to_rest(service, thread_id, assistant_id, "SAY two")

        assert describe_known_items(service) == ["user: SAY one", "user: SAY two"]
        assert (await list_turn_states(service, run))[0]["reason"] == "thread_changed"


async def test_a_message_that_is_deleted_while_the_model_answers_is_known_no_longer_than_that() -> None:
    async with open_service(**CHAINED) as service:
        assistant_id, thread_id = (
            await service.create_assistant(),
            await service.create_thread("a secret", "CALL get_weather {}"),
        )
        secret = (await service.get(f"/threads/{thread_id}/messages", order="asc")).body["data"][0]["id"]
        tools = [WEATHER]
        events = service.iterate_events(f"/threads/{thread_id}/runs", assistant_id=assistant_id, tools=tools)
        async for event in events:
            if event.name == "thread.run.step.created":
                await service.delete(f"/threads/{thread_id}/messages/{secret}")
        [waiting] = (await service.get(f"/threads/{thread_id}/runs")).body["data"]
        run = await service.submit_outputs(waiting)

        assert run["status"] == "completed"
        assert (await list_turn_states(service, run))[1]["reason"] == "thread_changed"
        assert describe_known_items(service) == [
            "user: CALL get_weather {}",
            "function_call",
            "function_call_output sunny",
        ]


async def test_metadata_changes_nothing_the_model_knows() -> None:
    async with open_service(**CHAINED) as service:
        run = await service.run_to_rest("SAY one")
        thread = f"/threads/{run['thread_id']}"
        await service.post(f"{thread}/messages/{await newest_message(service, run['thread_id'])}", metadata={"a": "b"})
        await service.post(thread, metadata={"a": "b"})
        await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY two")

        assert describe_input(service.model_requests[1]) == ["user: SAY two"]


async def test_calls_that_nobody_answered_are_left_behind() -> None:
    async with open_service(**CHAINED) as service:
        waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
        await service.post(f"/threads/{waiting['thread_id']}/runs/{waiting['id']}/cancel")
        run = await run_to_rest(service, waiting["thread_id"], waiting["assistant_id"], "SAY never mind")

        assert run["status"] == "completed"
        assert (await list_turn_states(service, run))[0]["reason"] == "unanswered_calls"
        assert describe_known_items(service) == ["user: CALL get_weather {}", "user: SAY never mind"]


@pytest.mark.parametrize("text", ["INCOMPLETE max_output_tokens", "FAIL server_error No luck.", "HTTP 403"])
async def test_what_did_not_complete_is_not_gone_on_from(text: str) -> None:
    async with open_service(**CHAINED) as service:
        assistant_id, thread_id = await service.create_assistant(), await service.create_thread("SAY one")
        await run_to_rest(service, thread_id, assistant_id)
        await run_to_rest(service, thread_id, assistant_id, text)
        run = await run_to_rest(service, thread_id, assistant_id, "SAY three")

        said = [
            message_text(message)
            for message in reversed((await service.get(f"/threads/{thread_id}/messages")).body["data"])
        ]
        assert run["status"] == "completed"
        assert service.model_requests[2]["previous_response_id"] == service.model_requests[1]["previous_response_id"]
        assert [words.split(": ", 1)[1] for words in describe_known_items(service)] == said[:-1]


async def test_another_model_is_told_everything() -> None:
    async with open_service(**CHAINED) as service:
        run = await service.run_to_rest("SAY one")
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY two", model="gpt-4o-mini")

        assert len(service.model_requests[1]["input"]) == 3
        assert (await list_turn_states(service, again))[0]["reason"] == "model_changed"


async def test_after_a_month_a_response_is_not_asked_for_in_hope() -> None:
    async with open_service(**CHAINED) as service:
        run = await service.run_to_rest("SAY one")
        service.clock.advance(30 * DAY)
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY two")

        assert (await list_turn_states(service, again))[0]["reason"] == "too_old"
        assert len(service.model_requests) == 2


async def test_what_is_left_out_of_a_thread_is_not_known_by_way_of_the_service() -> None:
    async with open_service(**CHAINED) as service:
        assistant_id, thread_id = await service.create_assistant(), await service.create_thread("SAY one")
        for text in ("SAY two", "SAY three"):
            strategy = {"type": "last_messages", "last_messages": 2}
            run = await run_to_rest(service, thread_id, assistant_id, text, truncation_strategy=strategy)

        assert describe_known_items(service) == ["assistant: two", "user: SAY three"]
        assert (await list_turn_states(service, run))[0]["reason"] == "truncated"


async def test_a_run_that_is_shown_the_newest_only_goes_on_within_itself() -> None:
    async with open_service(**CHAINED) as service:
        assistant_id = await service.create_assistant(tools=[WEATHER])
        thread_id = await service.create_thread("a", "b", "CALL get_weather {}")
        strategy = {"type": "last_messages", "last_messages": 2}
        run = await run_to_rest(service, thread_id, assistant_id, truncation_strategy=strategy)
        await service.submit_outputs(run)

        assert describe_input(service.model_requests[1]) == ["function_call_output sunny"]
        assert describe_known_items(service)[:2] == ["user: b", "user: CALL get_weather {}"]


async def test_a_deleted_thread_leaves_no_anchor() -> None:
    async with open_service(**CHAINED) as service:
        run = await service.run_to_rest("SAY one")
        before = await get_continuation(service, run["thread_id"])
        await service.delete(f"/threads/{run['thread_id']}")
        after = await get_continuation(service, run["thread_id"])

        assert before is not None
        assert after is None


async def test_where_everything_is_local_nothing_is_kept() -> None:
    async with open_service() as service:
        run = await service.run_to_rest("SAY one")

        row = await get_continuation(service, run["thread_id"])
        assert row is None
        assert service.model_requests[0]["store"] is False
        assert await list_turn_states(service, run) == [{"mode": "local", "continues": None, "reason": None}]


async def test_a_request_rejected_for_no_known_reason_with_and_without_the_last_response_leaves_it_as_it_was() -> None:
    async with open_service(**CHAINED) as service:
        run = await service.run_to_rest("SAY one")
        before = await get_continuation(service, run["thread_id"])
        rejected = await run_to_rest(service, run["thread_id"], run["assistant_id"], "HTTP 400")
        after = await get_continuation(service, run["thread_id"])
        again = await run_to_rest(service, run["thread_id"], run["assistant_id"], "SAY three")

        assert rejected["status"] == "failed"
        assert after == before
        assert [body.get("previous_response_id") is None for body in service.model_requests] == [
            True,
            False,
            True,
            False,
        ]
        assert (await list_turn_states(service, again))[0]["reason"] is None
