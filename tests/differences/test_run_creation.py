"""Numbered differences: parameters of runs and the requests to the model."""

from __future__ import annotations

import openai
import pytest

from tests.clients.client_kinds import simulated_gateway
from tests.emulated_service import (
    WEATHER,
    EmulatedService,
    get_usage,
    list_event_names,
    message_text,
    open_service,
    run_path,
)
from threadbridge.api_types import JsonObject
from threadbridge.ports import ObjectKind
from threadbridge_adapters.simulator import FunctionCall, Reasoning, Scenario, ScriptedResponse, TextMessage


def list_sent_texts(request: JsonObject) -> list[str]:
    """The items of a request: the role of a message, the type of any other item."""
    return [str(item.get("role") or item["type"]) for item in request["input"]]


async def test_d6_additional_instructions_are_appended_on_a_new_line(service: EmulatedService) -> None:
    run = await service.run_to_rest("Hi", instructions="Be brief.", run={"instructions": "Be kind."})
    appended = await service.post(
        f"/threads/{run['thread_id']}/runs", assistant_id=run["assistant_id"], additional_instructions="Be kind."
    )
    await service.wait_until_rest(appended.body)

    assert (run["instructions"], appended.body["instructions"]) == ("Be kind.", "Be brief.\nBe kind.")
    assert [request["instructions"] for request in service.model_requests] == ["Be kind.", "Be brief.\nBe kind."]


async def test_d7_a_forced_tool_choice_is_sent_with_the_first_turn_only(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("Hi", tools=[WEATHER], run={"tool_choice": "required"})

    run = await service.submit_outputs(waiting)

    assert run["status"] == "completed"
    assert [request["tool_choice"] for request in service.model_requests] == ["required", "auto"]
    assert run["tool_choice"] == "required"


async def test_d9_a_retired_model_is_replaced_and_keeps_its_name(service: EmulatedService) -> None:
    run = await service.run_to_rest("Hi", model="gpt-4-32k")

    assert (run["model"], service.model_requests[-1]["model"]) == ("gpt-4-32k", "gpt-4o")


@pytest.mark.parametrize("profile", ["azure", "foundry", "vllm", "ollama", "llamacpp", "litellm", "generic", "ogx"])
async def test_d110_models_of_another_service_are_requested_by_their_own_names(profile: str) -> None:
    async with open_service(upstream={"profile": profile}) as service:
        run = await service.run_to_rest("Hi", model="gpt-4-32k")  # the simulator has none: it has OpenAI's models

    assert (run["model"], service.model_requests[-1]["model"]) == ("gpt-4-32k", "gpt-4-32k")


@pytest.mark.parametrize("profile", [None, "openai"])
async def test_d110_without_a_profile_the_base_url_decides_whose_models_they_are(profile: str | None) -> None:
    upstream = {"base_url": "https://proxy.example.org/v1", "api_key": "k"}
    chosen = upstream if profile is None else {**upstream, "profile": profile}

    async with open_service(simulate=False, upstream=chosen) as service:
        await service.run_to_rest("Hi", model="gpt-4-32k")

    assert service.model_requests[-1]["model"] == ("gpt-4-32k" if profile is None else "gpt-4o")


async def test_d110_model_settings_of_the_user_apply_to_every_service() -> None:
    models = {"gpt-4-32k": {"model": "gpt-4o"}}

    async with open_service(upstream={"profile": "azure"}, models=models) as service:
        run = await service.run_to_rest("Hi", model="gpt-4-32k")

    assert (run["status"], run["model"], service.model_requests[-1]["model"]) == ("completed", "gpt-4-32k", "gpt-4o")


async def test_d110_a_parameter_that_a_deployment_rejected_is_omitted_afterwards() -> None:
    async with open_service(upstream={"profile": "azure"}) as service:
        run = await service.run_to_rest("Hi", model="o3", temperature=0.5)

    assert run["status"] == "completed"
    assert [request.get("temperature") for request in service.model_requests] == [0.5, None]


async def test_d10_sampling_parameters_are_not_sent_to_models_that_reject_them(service: EmulatedService) -> None:
    run = await service.run_to_rest("Hi", model="o3", temperature=0.5, top_p=0.5)

    assert (run["status"], run["temperature"], run["top_p"]) == ("completed", 0.5, 0.5)
    assert service.model_requests[-1].keys().isdisjoint({"temperature", "top_p"})


async def test_d10_the_creator_of_the_run_receives_a_warning(service: EmulatedService) -> None:
    assistant_id = await service.create_assistant(model="o3", temperature=0.5)
    thread = {"messages": [{"role": "user", "content": "Hi"}]}

    created = await service.post("/threads/runs", assistant_id=assistant_id, thread=thread)

    assert created.headers["threadbridge-warning"] == '"The model o3 does not accept temperature; 0.5 has no effect."'


async def test_d10_the_warning_is_in_header_log_and_report(caplog: pytest.LogCaptureFixture) -> None:
    warning = "The model o3 does not accept temperature; 0.5 has no effect."
    async with open_service() as service:
        thread_id, assistant_id = (
            await service.create_thread("Hi"),
            await service.create_assistant(model="o3", temperature=0.5),
        )
        created = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id)
        run = await service.wait_until_rest(created.body)
        report = (await service.get(f"{run_path(run)}/report")).body
        asked_to_stream = b'{"assistant_id": "%s", "stream": true}' % assistant_id.encode()
        streamed = await service.send("POST", f"/threads/{thread_id}/runs", asked_to_stream)

    assert created.headers["threadbridge-warning"] == streamed.headers["threadbridge-warning"] == f'"{warning}"'
    assert report["turns"][0]["warnings"] == [warning]
    assert warning in caplog.text


async def test_d10_a_policy_rejects_runs_with_unsupported_sampling_parameters() -> None:
    async with open_service(policies={"sampling": "error"}) as service:
        assistant_id = await service.create_assistant(model="o3", temperature=0.5, instructions="Be brief.")
        refused = await service.post("/threads/runs", assistant_id=assistant_id)
        accepted_run = await service.run_to_rest("Hi", model="gpt-4o", temperature=0.5)

    assert (refused.status, refused.error["param"]) == (400, "temperature")
    assert refused.error["message"] == "Unsupported parameter: 'temperature' is not supported with this model."
    assert accepted_run["status"] == "completed"


async def test_d10_a_setting_disables_reasoning_so_that_sampling_is_accepted() -> None:
    async with open_service(policies={"sampling": "force_none"}) as service:
        run = await service.run_to_rest("Hi", model="gpt-6-luna", temperature=0.5, reasoning_effort="high")

    [request] = service.model_requests
    assert (request["temperature"], request["reasoning"]) == (0.5, {"effort": "none"})
    assert (run["status"], run["temperature"], run["reasoning_effort"]) == ("completed", 0.5, "high")


async def test_d9_one_assistant_can_have_a_model_of_its_own() -> None:
    own = {"asst_mine": {"model": "gpt-6-sol", "reasoning_effort": "low"}}
    async with open_service(per_assistant=own, models={"gpt-4": {"model": "gpt-4.1"}}) as service:
        other = (await service.get(f"/assistants/{await service.create_assistant(model='gpt-4')}")).body
        mine = {**other, "id": "asst_mine"}
        await service.store.write(lambda session: session.add(ObjectKind.ASSISTANT, mine), tenant="default")
        thread_id = await service.create_thread("Hi")
        runs = [
            await service.wait_until_rest(
                (await service.post(f"/threads/{thread_id}/runs", assistant_id=each["id"])).body
            )
            for each in (mine, other)
        ]

    assert [request["model"] for request in service.model_requests] == ["gpt-6-sol", "gpt-4.1"]
    assert service.model_requests[0]["reasoning"] == {"effort": "low"}
    assert [(run["model"], run["reasoning_effort"]) for run in runs] == [("gpt-4", None), ("gpt-4", None)]


async def test_d66_an_unsupported_reasoning_effort_is_replaced_by_the_nearest(service: EmulatedService) -> None:
    run = await service.run_to_rest("Hi", model="o3", reasoning_effort="minimal")

    assert (run["status"], run["reasoning_effort"]) == ("completed", "minimal")
    assert service.model_requests[-1]["reasoning"] == {"effort": "low"}


async def test_d67_reasoning_is_disabled_for_the_successor_of_a_model_without_reasoning(
    service: EmulatedService,
) -> None:
    service.clock.advance(60 * 24 * 3600)  # beyond the day on which gpt-4 was switched off

    run = await service.run_to_rest("Hi", model="gpt-4")

    assert (run["model"], run["reasoning_effort"]) == ("gpt-4", None)
    assert service.model_requests[-1]["model"] != "gpt-4"
    assert service.model_requests[-1]["reasoning"] == {"effort": "none"}


async def test_d42_a_run_needs_a_message_or_instructions(service: EmulatedService) -> None:
    silent, empty = await service.create_assistant(), await service.create_thread()
    monologue = await service.post("/threads", messages=[{"role": "assistant", "content": "Welcome"}])

    refused = await service.post(f"/threads/{empty}/runs", assistant_id=silent)
    instructed = await service.post(f"/threads/{empty}/runs", assistant_id=silent, instructions="Say hello.")
    after_monologue = await service.post(f"/threads/{monologue.body['id']}/runs", assistant_id=silent)

    assert (refused.status, refused.error["code"]) == (400, "invalid_thread")
    assert (await service.wait_until_rest(instructed.body))["status"] == "completed"
    assert (await service.wait_until_rest(after_monologue.body))["status"] == "completed"


async def test_d43_null_tools_are_those_of_the_assistant_and_an_empty_list_is_none(service: EmulatedService) -> None:
    null = await service.run_to_rest("Hi", tools=[WEATHER], run={"tools": None})
    none = await service.run_to_rest("Hi", tools=[WEATHER], run={"tools": []})

    assert ([tool["type"] for tool in null["tools"]], none["tools"]) == (["function"], [])
    assert "tools" not in service.model_requests[-1]


async def test_d49_every_turn_is_limited_to_the_remaining_budget(service: EmulatedService) -> None:
    call = Scenario(response=ScriptedResponse([Reasoning("", tokens=20), FunctionCall("get_weather", "{}")]))
    service.simulator.enqueue(call)

    waiting = await service.run_to_rest("Hi", tools=[WEATHER], run={"max_completion_tokens": 100})
    spent = get_usage((await service.list_steps(await service.submit_outputs(waiting)))[0])["completion_tokens"]

    assert [request["max_output_tokens"] for request in service.model_requests] == [100, 100 - spent]


async def test_d49_the_smallest_limit_of_a_turn_is_16_tokens(service: EmulatedService) -> None:
    waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER], run={"max_completion_tokens": 17})

    await service.submit_outputs(waiting)

    assert [request["max_output_tokens"] for request in service.model_requests] == [17, 16]


async def test_d49_a_spent_budget_ends_the_run_without_another_turn(service: EmulatedService) -> None:
    service.simulator.enqueue(
        Scenario(response=ScriptedResponse([Reasoning("", tokens=15), FunctionCall("get_weather", "{}")]))
    )
    waiting = await service.run_to_rest("Hi", tools=[WEATHER], run={"max_completion_tokens": 16})

    run = await service.submit_outputs(waiting)

    assert (run["status"], run["incomplete_details"]) == ("incomplete", {"reason": "max_completion_tokens"})
    assert get_usage(run)["completion_tokens"] == 16
    assert len(service.model_requests) == 1


async def test_d61_calls_without_outputs_are_not_sent_to_the_model(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_calls(FunctionCall("get_weather", "{}"), reasoning="Let me see"))
    waiting = await service.run_to_rest("Hi", model="o3", tools=[WEATHER])
    await service.post(f"/threads/{waiting['thread_id']}/runs/{waiting['id']}/cancel")

    following = await service.post(f"/threads/{waiting['thread_id']}/runs", assistant_id=waiting["assistant_id"])

    assert (await service.wait_until_rest(following.body))["status"] == "completed"
    assert list_sent_texts(service.model_requests[-1]) == ["user"]


async def test_d61_calls_of_an_expired_run_are_not_sent_to_the_model(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_calls(FunctionCall("get_weather", "{}"), reasoning="Let me see"))
    waiting = await service.run_to_rest("Hi", model="o3", tools=[WEATHER])
    service.clock.advance(601)

    following = await service.post(f"/threads/{waiting['thread_id']}/runs", assistant_id=waiting["assistant_id"])

    assert (await service.retrieve_run(waiting))["status"] == "expired"
    assert (await service.wait_until_rest(following.body))["status"] == "completed"
    assert list_sent_texts(service.model_requests[-1]) == ["user"]


async def test_d62_messages_and_answered_calls_of_earlier_runs_are_sent_to_the_model(service: EmulatedService) -> None:
    service.simulator.enqueue(Scenario.from_calls(FunctionCall("get_weather", "{}"), reasoning="Let me see"))
    earlier = await service.submit_outputs(await service.run_to_rest("Hi", model="o3", tools=[WEATHER]))
    within = list_sent_texts(service.model_requests[-1])
    await service.post(f"/threads/{earlier['thread_id']}/messages", role="user", content="More")

    later = await service.post(f"/threads/{earlier['thread_id']}/runs", assistant_id=earlier["assistant_id"])
    await service.wait_until_rest(later.body)

    assert within == ["user", "reasoning", "function_call", "function_call_output"]
    assert list_sent_texts(service.model_requests[-1]) == [
        "user",
        "function_call",
        "function_call_output",
        "assistant",
        "user",
    ]


async def test_d63_last_messages_does_not_count_messages_of_the_run(service: EmulatedService) -> None:
    strategy = {"type": "last_messages", "last_messages": 1}
    service.simulator.enqueue(
        Scenario(response=ScriptedResponse([TextMessage("One moment"), FunctionCall("get_weather", "{}")]))
    )
    assistant_id, thread_id = (
        await service.create_assistant(tools=[WEATHER]),
        await service.create_thread("before", "Weather?"),
    )

    started = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, truncation_strategy=strategy)
    run = await service.submit_outputs(await service.wait_until_rest(started.body))

    assert message_text((await service.list_messages(run))[0]) == "before"
    assert [list_sent_texts(request) for request in service.model_requests] == [
        ["user"],
        ["user", "assistant", "function_call", "function_call_output"],
    ]


async def test_d85_a_rejected_sampling_parameter_is_omitted_from_then_on() -> None:
    async with open_service(models={"mine": {"model": "o3", "sampling": True}}) as service:
        first = await service.run_to_rest("Hi", model="mine", temperature=0.5, top_p=0.5)
        asked_at_first = [sorted({"temperature", "top_p"} & body.keys()) for body in service.model_requests]
        second = await service.post(
            "/threads/runs",
            assistant_id=await service.create_assistant(model="mine", temperature=0.5),
            thread={"messages": [{"role": "user", "content": "Hi"}]},
        )
        rested = await service.wait_until_rest(second.body)

    assert (first["status"], rested["status"], rested["temperature"]) == ("completed", "completed", 0.5)
    assert asked_at_first == [["temperature", "top_p"], ["top_p"], []]
    assert len(service.model_requests) == 4
    assert second.headers["threadbridge-warning"] == '"The model o3 does not accept temperature; 0.5 has no effect."'


async def test_d85_the_request_of_a_streamed_run_is_repeated_too() -> None:
    async with open_service(models={"mine": {"model": "o3", "sampling": True}}) as service:
        events = await service.collect_events(
            "/threads/runs",
            assistant_id=await service.create_assistant(model="mine", temperature=0.5),
            thread={"messages": [{"role": "user", "content": "Hi"}]},
        )

    assert list_event_names(events)[-2:] == ["run.completed", "done"]


async def test_d116_empty_tool_resources_of_a_run_are_accepted(service: EmulatedService) -> None:
    run = await service.run_to_rest("Hi", run={"tool_resources": {}})
    path = f"/threads/{run['thread_id']}/runs"
    files = {"file_search": {"vector_store_ids": ["vs_1"]}}
    rejected = await service.post(path, assistant_id=run["assistant_id"], tool_resources=files, status=400)

    assert run["status"] == "completed"
    assert rejected.body["error"]["param"] == "tool_resources"


def test_d117_a_project_of_any_name_is_the_gateway() -> None:
    with simulated_gateway() as gateway:
        root = gateway.url.removesuffix("/v1")
        for name in ("demo", "other project"):
            client = openai.OpenAI(base_url=f"{root}/api/projects/{name}", api_key="sk-mine")
            with client:
                thread = client.beta.threads.create(metadata={"project": name})
                assert client.beta.threads.retrieve(thread.id).metadata == {"project": name}
