"""Rules A33, A39, A40 and A72 to A94 on the wire: run steps and stream events."""

from __future__ import annotations

import pytest

from tests.emulated_service import (
    WEATHER,
    EmulatedService,
    StreamEvent,
    get_function,
    list_event_names,
    list_step_calls,
    run_path,
)
from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import FunctionCall, Scenario, ScriptedResponse, TextMessage

CONTENT = "step_details.tool_calls[*].file_search.results[*].content"
STEP_KEYS = (
    "id object created_at run_id assistant_id thread_id type status cancelled_at completed_at expires_at failed_at "
    "last_error step_details usage"
).split()
MESSAGE_KEYS = (
    "id object created_at assistant_id thread_id run_id status incomplete_details incomplete_at completed_at role "
    "content attachments metadata"
).split()

#: Every event of A89 that a stream of text and function calls can have.
EVENTS = {
    "thread.created",
    *(
        f"thread.run.{name}"
        for name in (
            "created queued in_progress requires_action completed incomplete failed cancelling cancelled expired"
        ).split()
    ),
    *(f"thread.run.step.{name}" for name in "created in_progress delta completed failed cancelled expired".split()),
    *(f"thread.message.{name}" for name in "created in_progress delta completed incomplete".split()),
    "error",
    "done",
}


async def stream_run(service: EmulatedService, text: str, **settings: object) -> list[StreamEvent]:
    thread = {"messages": [{"role": "user", "content": text}]}
    return await service.collect_events(
        "/threads/runs", assistant_id=await service.create_assistant(**settings), thread=thread
    )


def select_data(events: list[StreamEvent], name: str) -> list[JsonObject]:
    return [event.data for event in events if event.name == f"thread.{name}"]


async def test_a33_a_streamed_message_has_a_status_and_is_empty_until_completed(
    service: EmulatedService,
) -> None:
    events = await stream_run(service, "SAY one two")

    (created,) = select_data(events, "message.created")
    (completed,) = select_data(events, "message.completed")
    assert list(created) == list(completed) == MESSAGE_KEYS
    assert (created["status"], created["content"], created["completed_at"]) == ("in_progress", [], None)
    assert (completed["status"], completed["content"][0]["text"]["value"]) == ("completed", "one two")
    assert completed["completed_at"] is not None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("INCOMPLETE max_output_tokens", "max_tokens"),
        ("INCOMPLETE content_filter", "content_filter"),
        ("SAY one two three four\nBREAK 6", "run_failed"),
    ],
)
async def test_a39_an_incomplete_message_has_a_reason(service: EmulatedService, text: str, reason: str) -> None:
    events = await stream_run(service, text)

    (incomplete,) = select_data(events, "message.incomplete")
    assert (incomplete["status"], incomplete["incomplete_details"]) == ("incomplete", {"reason": reason})
    assert incomplete["incomplete_at"] is not None


async def test_a40_a_refusal_is_a_separate_part_in_message_and_delta(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_refusal("I will not."))

    events = await stream_run(service, "Hi")

    parts = [delta["delta"]["content"][0] for delta in select_data(events, "message.delta")]
    assert {(part["index"], part["type"]) for part in parts} == {(0, "refusal")}
    assert "".join(part["refusal"] for part in parts) == "I will not."
    assert select_data(events, "message.completed")[0]["content"] == [{"type": "refusal", "refusal": "I will not."}]


async def test_a72_a_step_has_the_recorded_keys_and_its_deadline_only_while_open(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    (open_step,) = await service.list_steps(waiting)
    await service.submit_outputs(waiting)
    events = await stream_run(service, "SAY one")

    closed = (await service.get(f"{run_path(waiting)}/steps/{open_step['id']}")).body
    (completed,) = select_data(events, "run.step.completed")
    assert list(open_step) == list(closed) == list(completed) == STEP_KEYS
    assert (open_step["expires_at"], closed["expires_at"]) == (waiting["expires_at"], None)
    assert completed["expires_at"] == completed["created_at"] + 600


@pytest.mark.parametrize(("text", "status"), [("SAY one", "completed"), ("SAY one two three four\nBREAK 6", "failed")])
async def test_a73_a_step_is_in_progress_and_then_has_the_final_status_of_its_run(
    service: EmulatedService, text: str, status: str
) -> None:
    events = await stream_run(service, text)

    statuses = [event.data["status"] for event in events if event.name.startswith("thread.run.step.")]
    assert statuses == ["in_progress", "in_progress", status]
    assert select_data(events, f"run.step.{status}")[0]["type"] == "message_creation"


async def test_a74_text_before_a_call_is_an_earlier_step(service: EmulatedService) -> None:
    service.simulator.enqueue(
        Scenario(response=ScriptedResponse([TextMessage("Let me see."), FunctionCall("get_weather", "{}")]))
    )

    run = await service.run_to_rest("Hi", tools=[WEATHER])

    assert [step["type"] for step in await service.list_steps(run)] == ["message_creation", "tool_calls"]
    assert run["status"] == "requires_action"


async def test_a76_a_function_call_in_a_step_has_an_output_after_submission(service: EmulatedService) -> None:
    waiting = await service.run_to_rest('CALL get_weather {"city": "Bern"}', tools=[WEATHER])
    (before,) = await service.list_steps(waiting)
    await service.submit_outputs(waiting, output="sunny")

    after = (await service.list_steps(waiting))[0]
    call = list_step_calls(before)[0]
    function = get_function(call)
    assert (list(call), list(function)) == (["id", "type", "function"], ["name", "arguments", "output"])
    assert (function["arguments"], function["output"]) == ('{"city": "Bern"}', None)
    assert get_function(list_step_calls(after)[0])["output"] == "sunny"


@pytest.mark.parametrize("name", ["include[]", "include", "include%5B%5D"])
@pytest.mark.parametrize("value", [CONTENT, CONTENT.replace("[", "%5B").replace("]", "%5D").replace("*", "%2A")])
async def test_a77_four_operations_accept_include_in_any_spelling(
    service: EmulatedService, name: str, value: str
) -> None:
    run = await service.run_to_rest("Hi")
    step = (await service.list_steps(run))[0]["id"]
    body = b'{"assistant_id": "%b"}' % run["assistant_id"].encode()
    requests = [
        ("GET", f"{run_path(run)}/steps", b""),
        ("GET", f"{run_path(run)}/steps/{step}", b""),
        ("POST", f"/threads/{await service.create_thread('Hi')}/runs", body),
    ]

    answers = [await service.send(method, path, body, query={name: value}) for method, path, body in requests]

    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.headers.get("threadbridge-warning") for answer in answers] == [None, None, None]


async def test_a88_every_frame_has_event_and_data_and_the_last_event_is_done(service: EmulatedService) -> None:
    body = b'{"assistant_id": "%b", "stream": true}' % (await service.create_assistant(instructions="Hi")).encode()

    response = await service.send("POST", "/threads/runs", body)

    assert not isinstance(response.body, bytes)
    text = b"".join([frame async for frame in response.body]).decode()
    *frames, last, end = text.split("\n\n")
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert all("event: thread." in frame and "\ndata: {" in frame for frame in frames)
    assert (last.endswith("event: done\ndata: [DONE]"), end) == (True, "")


async def test_a88_done_follows_requires_action_too(service: EmulatedService) -> None:
    events = await stream_run(service, "CALL get_weather {}", tools=[WEATHER])

    assert list_event_names(events)[-2:] == ["run.requires_action", "done"]


@pytest.mark.parametrize(
    "text",
    [
        "SAY one",
        "CALL get_weather {}",
        "INCOMPLETE max_output_tokens",
        "FAIL server_error No.",
        "HTTP 500",
        "SAY one two three\nBREAK 5",
        "REFUSE No.",
    ],
)
async def test_a89_a_stream_has_only_documented_event_names(service: EmulatedService, text: str) -> None:
    events = await stream_run(service, text, tools=[WEATHER])

    assert {event.name for event in events} <= EVENTS


async def test_a94_a_message_delta_has_only_new_text_and_annotations_once(service: EmulatedService) -> None:
    events = await stream_run(service, "SAY one two three")

    first, *later = select_data(events, "message.delta")
    assert list(first) == ["id", "object", "delta"]
    assert (first["object"], list(first["delta"])) == ("thread.message.delta", ["content"])
    assert first["delta"]["content"][0].keys() == {"index", "type", "text"}
    assert first["delta"]["content"][0]["text"]["annotations"] == []
    assert [list(delta["delta"]["content"][0]["text"]) for delta in later] == [["value"]] * len(later)
    assert "".join(delta["delta"]["content"][0]["text"]["value"] for delta in (first, *later)) == "one two three"


async def test_a94_only_the_first_step_delta_has_id_and_function_name(service: EmulatedService) -> None:
    events = await stream_run(service, 'CALL get_weather {"city": "Bern"}', tools=[WEATHER])

    first, *later = [delta["delta"]["step_details"] for delta in select_data(events, "run.step.delta")]
    call = first["tool_calls"][0]
    assert (first["type"], list(call)) == ("tool_calls", ["index", "id", "type", "function"])
    assert call["function"] == {"name": "get_weather", "arguments": "", "output": None}
    assert later
    assert all(step["tool_calls"][0].keys() == {"index", "type", "function"} for step in later)
    assert "".join(step["tool_calls"][0]["function"]["arguments"] for step in later) == '{"city": "Bern"}'
