"""Rules A46 to A71 on the wire: creation, update and tool outputs of runs, and usage."""

from __future__ import annotations

import pytest

from tests.emulated_service import (
    WEATHER,
    EmulatedService,
    get_last_error,
    get_required_calls,
    get_usage,
    list_event_names,
    run_path,
)
from threadbridge.api_types import JsonObject

OTHER: JsonObject = {
    "type": "function",
    "function": {"name": "get_time", "parameters": {"type": "object", "properties": {}}},
}
FORM: JsonObject = {"type": "json_object"}

#: Parameters of a run that override its assistant.
OVERRIDES: JsonObject = {
    "model": "gpt-4o-mini",
    "instructions": "Be kind.",
    "metadata": {"a": "b"},
    "temperature": 0.5,
    "top_p": 0.25,
    "max_prompt_tokens": 5000,
    "max_completion_tokens": 500,
    "truncation_strategy": {"type": "last_messages", "last_messages": 3},
    "tool_choice": "none",
    "parallel_tool_calls": False,
    "response_format": FORM,
}


async def test_a46_the_usage_of_a_run_is_the_sum_over_its_steps(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("CALL get_weather {}\nTHEN CALL get_weather {}", tools=[WEATHER])
    run = await service.submit_outputs(await service.submit_outputs(waiting))

    usages = [get_usage(step) for step in await service.list_steps(run)]

    assert len(usages) == 3
    assert list(get_usage(run)) == [
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "prompt_token_details",
        "completion_tokens_details",
    ]
    assert get_usage(run)["prompt_tokens"] == sum(usage["prompt_tokens"] for usage in usages)
    assert get_usage(run)["completion_tokens"] == sum(usage["completion_tokens"] for usage in usages)
    assert get_usage(run)["total_tokens"] == sum(usage["total_tokens"] for usage in usages)


@pytest.mark.parametrize(
    ("text", "code"),
    [("HTTP 500", "server_error"), ("HTTP 429", "rate_limit_exceeded"), ("FAIL invalid_prompt No.", "invalid_prompt")],
)
async def test_a47_a_failed_run_has_one_of_three_codes(service: EmulatedService, text: str, code: str) -> None:
    run = await service.run_to_rest(text)

    assert (run["status"], get_last_error(run)["code"]) == ("failed", code)
    assert list(get_last_error(run)) == ["code", "message"]


@pytest.mark.parametrize("name", OVERRIDES)
async def test_a48_an_override_of_a_run_does_not_change_its_assistant(service: EmulatedService, name: str) -> None:
    assistant_id = await service.create_assistant(instructions="Be brief.", temperature=1.5)
    before = (await service.get(f"/assistants/{assistant_id}")).body

    created = await service.post(
        f"/threads/{await service.create_thread('Hi')}/runs", assistant_id=assistant_id, **{name: OVERRIDES[name]}
    )

    assert (created.status, created.body[name]) == (200, OVERRIDES[name])
    assert (await service.get(f"/assistants/{assistant_id}")).body == before


async def test_a48_every_override_is_sent_to_the_model(service: EmulatedService) -> None:
    await service.run_to_rest("Hi", tools=[WEATHER], instructions="Be brief.", run={**OVERRIDES, "tools": [OTHER]})

    request = service.model_requests[-1]
    assert (request["model"], request["instructions"]) == ("gpt-4o-mini", "Be kind.")
    assert (request["temperature"], request["top_p"], request["max_output_tokens"]) == (0.5, 0.25, 500)
    assert (request["tool_choice"], request["parallel_tool_calls"]) == ("none", False)
    assert [tool["name"] for tool in request["tools"]] == ["get_time"]
    assert request["text"] == {"format": FORM}


async def test_a49_instructions_replace_and_additional_ones_are_appended(service: EmulatedService) -> None:
    more = "Be kind."

    replaced = await service.start_run("Hi", instructions="Be brief.", run={"instructions": more})
    thread = f"/threads/{await service.create_thread('Hi')}"
    assistant_id = await service.create_assistant(instructions="Be brief.")
    appended = await service.post(f"{thread}/runs", assistant_id=assistant_id, additional_instructions=more)

    assert (replaced["instructions"], appended.body["instructions"]) == (more, f"Be brief.\n{more}")


async def test_a51_a_run_accepts_tool_resources_only_with_a_new_thread(service: EmulatedService) -> None:
    resources: JsonObject = {"code_interpreter": {"file_ids": []}}
    thread = {"messages": [{"role": "user", "content": "Hi"}]}
    assistant_id = await service.create_assistant()

    refused = await service.post(
        f"/threads/{await service.create_thread('Hi')}/runs", assistant_id=assistant_id, tool_resources=resources
    )
    response = await service.post("/threads/runs", assistant_id=assistant_id, thread=thread, tool_resources=resources)

    assert (refused.status, refused.error["param"], response.status) == (400, "tool_resources", 200)


async def test_a54_a_thread_and_its_run_are_created_together(service: EmulatedService) -> None:
    assistant_id = await service.create_assistant(instructions="Say hello.")

    bare = await service.post("/threads/runs", assistant_id=assistant_id)
    events = await service.collect_events("/threads/runs", assistant_id=assistant_id, thread={"metadata": {"a": "b"}})

    assert (bare.status, bare.body["status"], bare.body["object"]) == (200, "queued", "thread.run")
    assert (events[0].name, events[0].data["metadata"]) == ("thread.created", {"a": "b"})
    assert list_event_names(events)[:3] == ["created", "run.created", "run.queued"]


@pytest.mark.parametrize(
    "choice",
    [
        "none",
        "auto",
        "required",
        {"type": "function", "function": {"name": "get_weather"}},
        {"type": "file_search"},
        {"type": "code_interpreter"},
    ],
)
async def test_a55_every_tool_choice_is_accepted_and_returned(service: EmulatedService, choice: object) -> None:
    run = await service.run_to_rest("Hi", tools=[WEATHER], run={"tool_choice": choice})

    assert run["tool_choice"] == choice


async def test_a57_only_the_metadata_of_an_ended_run_can_be_updated(service: EmulatedService) -> None:
    run = await service.run_to_rest("Hi")

    changed = await service.post(run_path(run), metadata={"a": "b"})
    refused = await service.post(run_path(run), model="gpt-4o")

    assert changed.body == {**run, "metadata": {"a": "b"}}
    assert (refused.status, refused.error["param"]) == (400, "model")


async def test_a59_a_run_is_queued_again_after_submission_and_keeps_its_start_time(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    service.clock.advance(7)
    call = get_required_calls(waiting)[0]

    submitted = await service.post(
        f"{run_path(waiting)}/submit_tool_outputs", tool_outputs=[{"tool_call_id": call["id"], "output": ""}]
    )

    assert submitted.body == {**waiting, "status": "queued", "required_action": None}


async def test_a65_one_request_must_submit_the_outputs_of_all_calls(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("CALL get_weather {}\nCALL get_time {}", tools=[WEATHER, OTHER])
    calls = get_required_calls(waiting)

    one = await service.post(
        f"{run_path(waiting)}/submit_tool_outputs", tool_outputs=[{"tool_call_id": calls[0]["id"], "output": "x"}]
    )
    run = await service.submit_outputs(waiting, output="")

    assert (one.status, run["status"]) == (400, "completed")


async def test_a71_parallel_tool_calls_false_is_sent_to_the_model(service: EmulatedService) -> None:
    await service.run_to_rest("Hi", tools=[WEATHER], run={"parallel_tool_calls": False})
    await service.run_to_rest("Hi", tools=[WEATHER])

    alone, usual = service.model_requests[-2:]
    assert alone["parallel_tool_calls"] is False
    assert "parallel_tool_calls" not in usual
