"""Long threads that the service compacts: what is asked for, what is kept, and what later runs send."""

from __future__ import annotations

from typing import Any

import pytest

from tests.emulated_service import WEATHER, EmulatedService, list_event_names, open_service
from threadbridge.api_types import JsonMapping, JsonObject, RunObject
from threadbridge.errors import ConfigurationError
from threadbridge.settings import Settings
from threadbridge_adapters.composition import open_backend

COMPACT: dict[str, Any] = {"truncation": {"auto": "compact", "context_tokens": 1000}}
LONG = "and so on, " * 250


async def run_on(service: EmulatedService, thread_id: str, *tools: JsonMapping, **body: object) -> RunObject:
    assistant_id = await service.create_assistant(tools=tools)
    started = await service.post(f"/threads/{thread_id}/runs", assistant_id=assistant_id, **body)
    return await service.wait_until_rest(started.body)


async def history(service: EmulatedService, run: RunObject) -> JsonObject:
    """What the report says of the run's last turn."""
    report = await service.get(f"/threads/{run['thread_id']}/runs/{run['id']}/report")
    found: JsonObject = report.body["turns"][-1]["history"]
    return found


async def long_thread(service: EmulatedService) -> str:
    """A thread that was compacted when its first run answered, and a new question."""
    thread_id = await service.create_thread("first", LONG, LONG)
    await run_on(service, thread_id)
    await service.post(f"/threads/{thread_id}/messages", role="user", content="and now?")
    return thread_id


def types(asked: JsonMapping) -> list[str]:
    return [item["type"] for item in asked["input"]]


def texts(asked: JsonMapping) -> list[str]:
    return [part["text"] for item in asked["input"] if item["type"] == "message" for part in item["content"]]


async def test_the_service_is_asked_to_compact_beyond_the_window_and_the_report_says_what_it_did() -> None:
    async with open_service(**COMPACT) as service:
        run = await run_on(service, await service.create_thread("first", LONG, LONG))
        told = await history(service, run)
        roles = [message["role"] for message in await service.list_messages(run)]

    assert service.model_requests[0]["context_management"] == [{"type": "compaction", "compact_threshold": 1000}]
    assert texts(service.model_requests[0]) == ["first", LONG, LONG]
    assert (told["strategy"], told["sent"]["messages"], told["dropped"]["messages"]) == ("compact", 3, 0)
    assert told["compacted"] == {"messages": 3, "tokens": told["sent"]["tokens"]}
    assert roles == ["user", "user", "user", "assistant"]


async def test_later_runs_send_the_compaction_in_place_of_what_came_before() -> None:
    async with open_service(**COMPACT) as service:
        run = await run_on(service, await long_thread(service))
        told = await history(service, run)

    assert types(service.model_requests[1]) == ["compaction", "message"]
    assert texts(service.model_requests[1]) == ["and now?"]
    assert run["status"] == "completed"
    assert (told["dropped"]["messages"], told["dropped"]["reason"], told["compacted"]) == (4, "compaction", None)


async def test_a_compaction_is_compacted_again_and_only_the_newest_is_sent() -> None:
    async with open_service(**COMPACT) as service:
        thread_id = await long_thread(service)
        await service.post(f"/threads/{thread_id}/messages", role="user", content=LONG * 2)
        await run_on(service, thread_id)
        await service.post(f"/threads/{thread_id}/messages", role="user", content="and then?")
        await run_on(service, thread_id)

    (first, *_), (second, *_) = service.model_requests[1]["input"], service.model_requests[2]["input"]
    assert [types(asked) for asked in service.model_requests[1:]] == [
        ["compaction", "message", "message"],
        ["compaction", "message"],
    ]
    assert first["encrypted_content"] != second["encrypted_content"]


async def test_a_stream_shows_nothing_of_a_compaction() -> None:
    async with open_service(**COMPACT) as service:
        thread_id = await service.create_thread(LONG, LONG)

        events = await service.collect_events(
            f"/threads/{thread_id}/runs", assistant_id=await service.create_assistant()
        )
        await run_on(service, thread_id)

    assert list_event_names(events)[-5:] == [
        "message.in_progress",
        "message.completed",
        "run.step.completed",
        "run.completed",
        "done",
    ]
    assert types(service.model_requests[1]) == ["compaction"]


async def test_a_call_that_was_compacted_while_it_was_open_is_sent_with_its_output() -> None:
    async with open_service(**COMPACT) as service:
        waiting = await run_on(service, await service.create_thread(LONG, f"{LONG}\nCALL get_weather {{}}"), WEATHER)
        run = await service.submit_outputs(waiting, "sunny")
        texts_said = [
            part["text"]["value"]
            for part in (await service.list_messages(run))[-1]["content"]
            if part["type"] == "text"
        ]

    assert types(service.model_requests[1]) == ["function_call", "compaction", "function_call_output"]
    assert (run["status"], texts_said) == ("completed", ["RESULT: sunny"])


async def test_a_run_with_last_messages_of_its_own_is_sent_no_compaction() -> None:
    async with open_service(**COMPACT) as service:
        thread_id = await long_thread(service)
        await run_on(service, thread_id, truncation_strategy={"type": "last_messages", "last_messages": 2})

    assert (types(service.model_requests[1]), texts(service.model_requests[1])[-1]) == (
        ["message", "message"],
        "and now?",
    )
    assert "context_management" not in service.model_requests[1]


async def test_a_budget_too_small_for_compaction_and_all_since_drops_turns_instead() -> None:
    async with open_service(**COMPACT) as service:
        run = await run_on(service, await long_thread(service), max_prompt_tokens=20)
        told = await history(service, run)

    assert texts(service.model_requests[1]) == ["first", "and now?"]
    assert (told["strategy"], told["dropped"]["reason"]) == ("auto", "max_prompt_tokens")


async def test_a_service_without_compactions_is_refused_by_name() -> None:
    with pytest.raises(
        ConfigurationError, match="According to the profile 'vllm', the upstream service does not support compaction"
    ):
        await open_backend(Settings.model_validate({"simulate": True, "upstream": {"profile": "vllm"}, **COMPACT}))
