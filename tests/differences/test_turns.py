"""Numbered differences: what a turn of the model leaves behind: messages, steps and usage."""

from __future__ import annotations

from tests.differences.service import WEATHER, Service, names, path_of, text_of
from threadbridge_adapters.simulator import Answer, Call, Scenario, Text

CALL = Call("get_weather", "{}")


async def test_d2_the_last_step_of_an_answer_bears_its_usage(service: Service) -> None:
    service.simulator.enqueue(Scenario(answer=Answer([Text("One moment"), CALL])))

    run = await service.answered(await service.run("Hi", tools=[WEATHER]))

    said, called, answered = [step["usage"]["total_tokens"] for step in await service.steps(run)]
    assert said == 0
    assert called > 0
    assert run["usage"]["total_tokens"] == called + answered


async def test_d3_what_a_turn_makes_can_be_read_when_it_is_over(service: Service) -> None:
    service.simulator.enqueue(Scenario.says("one two three").slow(0.02))
    thread = {"messages": [{"role": "user", "content": "Hi"}]}
    stream = service.follow("/threads/runs", assistant_id=await service.assistant(), thread=thread)

    run = await anext(told.data async for told in stream if told.name == "thread.run.created")
    await anext(told async for told in stream if told.name == "thread.message.delta")
    during = [text_of(message) for message in await service.messages(run)], len(await service.steps(run))
    rest = [told async for told in stream]

    after = [text_of(message) for message in await service.messages(run)], len(await service.steps(run))
    assert rest[-2].name == "thread.run.completed"
    assert (during, after) == ((["Hi"], 0), (["Hi", "one two three"], 1))


async def test_d13_text_after_a_call_stands_before_the_one_step_of_all_calls(service: Service) -> None:
    service.simulator.enqueue(Scenario(answer=Answer([Text("before"), CALL, Text("after"), CALL])))

    run = await service.run("Hi", tools=[WEATHER])

    steps = await service.steps(run)
    assert [(step["type"], step["status"]) for step in steps] == [
        ("message_creation", "completed"),
        ("message_creation", "completed"),
        ("tool_calls", "in_progress"),
    ]
    assert len(steps[-1]["step_details"]["tool_calls"]) == 2
    assert [text_of(message) for message in await service.messages(run)] == ["Hi", "before", "after"]
    assert (await service.answered(run))["status"] == "completed"


async def test_d15_a_content_filter_makes_run_and_message_incomplete(service: Service) -> None:
    thread = {"messages": [{"role": "user", "content": "INCOMPLETE content_filter"}]}

    events = await service.stream("/threads/runs", assistant_id=await service.assistant(), thread=thread)

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


async def test_d51_a_run_at_its_limit_says_so_by_name_and_with_the_right_reason(service: Service) -> None:
    thread = {"messages": [{"role": "user", "content": "INCOMPLETE max_output_tokens"}]}

    events = await service.stream("/threads/runs", assistant_id=await service.assistant(), thread=thread)

    assert names(events)[-4:] == ["message.incomplete", "run.step.completed", "run.incomplete", "done"]
    assert events[-2].data["incomplete_details"] == {"reason": "max_completion_tokens"}


async def test_d52_calls_cut_off_at_a_limit_are_nobodys_affair(service: Service) -> None:
    service.simulator.enqueue(Scenario.stops("max_output_tokens", CALL))

    run = await service.run("Hi", tools=[WEATHER])

    step = (await service.steps(run))[0]
    assert (run["status"], run["required_action"]) == ("incomplete", None)
    assert (step["type"], step["status"]) == ("tool_calls", "completed")
    assert [call["function"]["output"] for call in step["step_details"]["tool_calls"]] == [None]


async def test_d53_another_reason_for_a_cut_is_not_repeated(service: Service) -> None:
    service.simulator.enqueue(Scenario.stops("the_moon_was_full", Text("one two")))
    thread = {"messages": [{"role": "user", "content": "Hi"}]}

    events = await service.stream("/threads/runs", assistant_id=await service.assistant(), thread=thread)

    assert events[-4].data["incomplete_details"] == {"reason": "max_tokens"}
    assert (events[-2].name, events[-2].data["incomplete_details"]) == ("thread.run.incomplete", None)


async def test_d57_a_run_that_ended_badly_shows_the_usage_of_its_finished_turns(service: Service) -> None:
    waiting = await service.run("CALL get_weather {}\nFAIL server_error no luck", tools=[WEATHER])

    failed = await service.answered(waiting)

    assert failed["status"] == "failed"
    called, *_ = await service.steps(failed)
    assert failed["usage"] == called["usage"]
    assert failed["usage"]["total_tokens"] > 0


async def test_d57_a_turn_that_was_cut_off_counts_zero(service: Service) -> None:
    failed = await service.run("FAIL server_error no luck")

    assert failed["usage"]["total_tokens"] == 0


async def test_d57_a_turn_that_somebody_else_ends_counts_zero_too(service: Service) -> None:
    service.simulator.enqueue(Scenario.says("never").late(60))
    run = await service.start("Hi")
    await service.reached(run, "in_progress")

    service.clock.advance(700)  # looked at before its worker woke
    expired = await service.look(run)

    assert (expired["status"], expired["usage"]["total_tokens"]) == ("expired", 0)


async def test_d60_an_answer_without_text_and_call_leaves_nothing(service: Service) -> None:
    service.simulator.enqueue(Scenario(answer=Answer([])))

    run = await service.run("Hi")

    assert run["status"] == "completed"
    assert len(await service.messages(run)) == 1
    assert await service.steps(run) == []


async def test_d60_an_empty_text_is_a_message_with_one_empty_delta(service: Service) -> None:
    service.simulator.enqueue(Scenario.says(""))
    thread = {"messages": [{"role": "user", "content": "Hi"}]}

    events = await service.stream("/threads/runs", assistant_id=await service.assistant(), thread=thread)

    deltas = [told.data["delta"]["content"][0]["text"] for told in events if told.name == "thread.message.delta"]
    assert deltas == [{"value": "", "annotations": []}]


async def test_d5_missing_and_unknown_outputs_are_refused_in_the_same_words(service: Service) -> None:
    run = await service.run("CALL get_weather {}", tools=[WEATHER])
    call_id = run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"]
    submit = f"{path_of(run)}/submit_tool_outputs"

    missing = await service.post(submit, tool_outputs=[])
    unknown = await service.post(
        submit, tool_outputs=[{"tool_call_id": known, "output": "x"} for known in (call_id, "call_x")]
    )

    expected = f"Expected tool outputs for call_ids ['{call_id}'], got "
    assert missing.error["message"] == f"{expected}[]"
    assert unknown.error["message"] == f"{expected}['{call_id}', 'call_x']"


async def test_d64_an_output_left_out_is_an_empty_one(service: Service) -> None:
    run = await service.run("CALL get_weather {}\nCALL get_weather {}", tools=[WEATHER])
    first, second = (call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"])

    outputs = [{"tool_call_id": first}, {"tool_call_id": second, "output": None}]
    taken = await service.post(f"{path_of(run)}/submit_tool_outputs", tool_outputs=outputs)

    calls = (await service.steps(await service.rested(taken.body)))[0]["step_details"]["tool_calls"]
    assert [call["function"]["output"] for call in calls] == ["", ""]


async def test_d65_an_output_without_its_call_is_refused_by_name(service: Service) -> None:
    run = await service.run("CALL get_weather {}", tools=[WEATHER])

    refused = await service.post(f"{path_of(run)}/submit_tool_outputs", tool_outputs=[{"output": "x"}])

    assert refused.error["message"] == "Missing required parameter: 'tool_outputs[0].tool_call_id'."
