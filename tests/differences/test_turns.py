"""Numbered differences: messages, steps and usage of turns."""

from __future__ import annotations

from tests.emulated_service import (
    WEATHER,
    EmulatedService,
    get_function,
    get_required_calls,
    get_usage,
    list_event_names,
    list_step_calls,
    message_text,
    run_path,
)
from threadbridge_adapters.simulator import FunctionCall, Scenario, ScriptedResponse, ServiceError, TextMessage

CALL = FunctionCall("get_weather", "{}")


async def test_d2_the_last_step_of_a_response_has_its_usage(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario(response=ScriptedResponse([TextMessage("One moment"), CALL])))

    run = await service.submit_outputs(await service.run_to_rest("Hi", tools=[WEATHER]))

    text, called, answer = [get_usage(step)["total_tokens"] for step in await service.list_steps(run)]
    assert text == 0
    assert called > 0
    assert get_usage(run)["total_tokens"] == called + answer


async def test_d3_messages_and_steps_of_a_turn_are_visible_after_its_end(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_text("one two three").with_delta_delay(0.02))
    thread = {"messages": [{"role": "user", "content": "Hi"}]}
    stream = service.iterate_events("/threads/runs", assistant_id=await service.create_assistant(), thread=thread)

    run = await anext(event.data async for event in stream if event.name == "thread.run.created")
    await anext(event async for event in stream if event.name == "thread.message.delta")
    during = [message_text(message) for message in await service.list_messages(run)], len(await service.list_steps(run))
    rest = [event async for event in stream]

    after = [message_text(message) for message in await service.list_messages(run)], len(await service.list_steps(run))
    assert rest[-2].name == "thread.run.completed"
    assert (during, after) == ((["Hi"], 0), (["Hi", "one two three"], 1))


async def test_d13_text_after_a_call_precedes_the_one_step_of_all_calls(service: EmulatedService) -> None:
    service.simulator.enqueue(
        Scenario(response=ScriptedResponse([TextMessage("before"), CALL, TextMessage("after"), CALL]))
    )

    run = await service.run_to_rest("Hi", tools=[WEATHER])

    steps = await service.list_steps(run)
    assert [(step["type"], step["status"]) for step in steps] == [
        ("message_creation", "completed"),
        ("message_creation", "completed"),
        ("tool_calls", "in_progress"),
    ]
    assert len(list_step_calls(steps[-1])) == 2
    assert [message_text(message) for message in await service.list_messages(run)] == ["Hi", "before", "after"]
    assert (await service.submit_outputs(run))["status"] == "completed"


async def test_d15_a_content_filter_makes_run_and_message_incomplete(service: EmulatedService) -> None:
    thread = {"messages": [{"role": "user", "content": "INCOMPLETE content_filter"}]}

    events = await service.collect_events("/threads/runs", assistant_id=await service.create_assistant(), thread=thread)

    message, run = events[-4], events[-2]
    assert (message.name, message.data["incomplete_details"]) == (
        "thread.message.incomplete",
        {"reason": "content_filter"},
    )
    assert (run.name, run.data["status"], run.data["incomplete_details"]) == (
        "thread.run.incomplete",
        "incomplete",
        None,
    )


async def test_d51_a_run_at_its_limit_ends_incomplete_with_the_reason_in_event_and_object(
    service: EmulatedService,
) -> None:
    thread = {"messages": [{"role": "user", "content": "INCOMPLETE max_output_tokens"}]}

    events = await service.collect_events("/threads/runs", assistant_id=await service.create_assistant(), thread=thread)

    assert list_event_names(events)[-4:] == ["message.incomplete", "run.step.completed", "run.incomplete", "done"]
    assert events[-2].data["incomplete_details"] == {"reason": "max_completion_tokens"}


async def test_d52_calls_truncated_at_a_limit_are_not_required(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_incomplete("max_output_tokens", CALL))

    run = await service.run_to_rest("Hi", tools=[WEATHER])

    step = (await service.list_steps(run))[0]
    assert (run["status"], run["required_action"]) == ("incomplete", None)
    assert (step["type"], step["status"]) == ("tool_calls", "completed")
    assert [get_function(call)["output"] for call in list_step_calls(step)] == [None]


async def test_d53_an_unknown_incomplete_reason_is_not_passed_on(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_incomplete("the_moon_was_full", TextMessage("one two")))
    thread = {"messages": [{"role": "user", "content": "Hi"}]}

    events = await service.collect_events("/threads/runs", assistant_id=await service.create_assistant(), thread=thread)

    assert events[-4].data["incomplete_details"] == {"reason": "max_tokens"}
    assert (events[-2].name, events[-2].data["incomplete_details"]) == ("thread.run.incomplete", None)


async def test_d57_a_failed_run_has_the_usage_of_its_finished_turns(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("CALL get_weather {}\nFAIL server_error no luck", tools=[WEATHER])

    failed = await service.submit_outputs(waiting)

    assert failed["status"] == "failed"
    called, *_ = await service.list_steps(failed)
    assert failed["usage"] == called["usage"]
    assert get_usage(failed)["total_tokens"] > 0


async def test_d57_an_interrupted_turn_has_zero_usage(service: EmulatedService) -> None:
    failed = await service.run_to_rest("FAIL server_error no luck")

    assert get_usage(failed)["total_tokens"] == 0


async def test_d57_a_turn_ended_by_another_worker_has_zero_usage(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_text("never").with_start_delay(60))
    run = await service.start_run("Hi")
    await service.wait_for_status(run, "in_progress")

    service.clock.advance(700)  # retrieved before its worker wakes
    expired = await service.retrieve_run(run)

    assert (expired["status"], get_usage(expired)["total_tokens"]) == ("expired", 0)


async def test_d60_a_response_without_text_or_call_creates_no_step(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario(response=ScriptedResponse([])))

    run = await service.run_to_rest("Hi")

    assert run["status"] == "completed"
    assert len(await service.list_messages(run)) == 1
    assert await service.list_steps(run) == []


async def test_d60_an_empty_text_is_a_message_with_one_empty_delta(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_text(""))
    thread = {"messages": [{"role": "user", "content": "Hi"}]}

    events = await service.collect_events("/threads/runs", assistant_id=await service.create_assistant(), thread=thread)

    deltas = [event.data["delta"]["content"][0]["text"] for event in events if event.name == "thread.message.delta"]
    assert deltas == [{"value": "", "annotations": []}]


async def test_d5_missing_and_unknown_outputs_have_the_same_error_text(service: EmulatedService) -> None:
    run = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    call_id = get_required_calls(run)[0]["id"]
    submit = f"{run_path(run)}/submit_tool_outputs"

    missing = await service.post(submit, tool_outputs=[])
    unknown = await service.post(
        submit, tool_outputs=[{"tool_call_id": known, "output": "x"} for known in (call_id, "call_x")]
    )

    expected = f"Expected tool outputs for call_ids ['{call_id}'], got "
    assert missing.error["message"] == f"{expected}[]"
    assert unknown.error["message"] == f"{expected}['{call_id}', 'call_x']"


async def test_d64_an_omitted_output_is_empty(service: EmulatedService) -> None:
    run = await service.run_to_rest("CALL get_weather {}\nCALL get_weather {}", tools=[WEATHER])
    first, second = (call["id"] for call in get_required_calls(run))

    outputs = [{"tool_call_id": first}, {"tool_call_id": second, "output": None}]
    submitted = await service.post(f"{run_path(run)}/submit_tool_outputs", tool_outputs=outputs)

    calls = list_step_calls((await service.list_steps(await service.wait_until_rest(submitted.body)))[0])
    assert [get_function(call)["output"] for call in calls] == ["", ""]


async def test_d65_an_output_without_tool_call_id_is_rejected_with_its_parameter(service: EmulatedService) -> None:
    run = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])

    refused = await service.post(f"{run_path(run)}/submit_tool_outputs", tool_outputs=[{"output": "x"}])

    assert refused.error["message"] == "Missing required parameter: 'tool_outputs[0].tool_call_id'."


async def test_d112_a_dead_image_is_replaced_by_a_note(service: EmulatedService) -> None:
    url = "https://cdn.example/p.png"
    content = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": url}}]
    thread = await service.post("/threads", messages=[{"role": "user", "content": content}])
    service.simulator.unavailable_urls[url] = 403
    assistant_id = await service.create_assistant()

    created = await service.post(f"/threads/{thread.body['id']}/runs", assistant_id=assistant_id)
    run = await service.wait_until_rest(created.body)
    report = await service.get(f"{run_path(run)}/report")
    again = await service.post(f"/threads/{thread.body['id']}/runs", assistant_id=assistant_id)
    await service.wait_until_rest(again.body)

    assert run["status"] == "completed"
    assert [len(request["input"][0]["content"]) for request in service.model_requests] == [2, 2, 2]
    notes = [request["input"][0]["content"][1].get("text") for request in service.model_requests]
    assert notes == [None, *[f"[The image {url} is not available]"] * 2]
    assert any(url in warning for warning in report.body["turns"][0]["warnings"])


async def test_d113_a_request_rejected_for_an_unknown_reason_is_sent_without_what_is_optional(
    service: EmulatedService,
) -> None:
    service.simulator.enqueue(Scenario(error=ServiceError("No.", param=None)))
    service.simulator.enqueue(Scenario.from_text("Hello"))

    run = await service.run_to_rest("Hi", temperature=0.5)

    first, second = service.model_requests
    assert run["status"] == "completed"
    assert {"prompt_cache_key", "store", "temperature"} <= first.keys()
    assert second.keys().isdisjoint({"prompt_cache_key", "store", "temperature", "include"})
