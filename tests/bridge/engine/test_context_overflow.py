"""Prompts that were counted to fit and do not: less of the thread is sent, as long as nothing was said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.emulated_service import EmulatedService, get_last_error, get_usage, list_event_names, open_service
from threadbridge.api_types import JsonMapping, JsonObject, RunObject
from threadbridge_adapters.simulator import Scenario, TextMessage

TOO_LONG = "Your input exceeds the context window of this model. Please adjust your input and try again."


def narrow(service: EmulatedService, tokens: int) -> None:
    """The model reads no more than this, whatever its window is said to be."""
    service.simulator.limits = replace(service.simulator.limits, context_tokens=tokens)


def numbered(*numbers: int) -> list[str]:
    """Messages of about seventy tokens."""
    return [f"Message {number}, " + "and so on, " * 15 for number in numbers]


def texts(asked: JsonMapping) -> list[str]:
    return [part["text"] for item in asked["input"] for part in item["content"]]


async def run_on(service: EmulatedService, *texts: str, **body: object) -> RunObject:
    started = await service.post(
        f"/threads/{await service.create_thread(*texts)}/runs", assistant_id=await service.create_assistant(), **body
    )
    return await service.wait_until_rest(started.body)


async def turn_report(service: EmulatedService, run: RunObject) -> JsonObject:
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/report"
    (turn,) = (await service.get(path)).body["turns"]
    found: JsonObject = turn
    return found


async def test_a_prompt_that_the_service_finds_too_long_is_sent_shorter() -> None:
    async with open_service() as service:
        narrow(service, 170)
        run = await run_on(service, *numbered(*range(1, 10)))
        told = await turn_report(service, run)

    assert run["status"] == "completed"
    assert [len(asked["input"]) for asked in service.model_requests] == [9, 6, 4, 2]
    assert texts(service.model_requests[-1]) == numbered(1, 9)
    assert (told["history"]["sent"]["messages"], told["history"]["dropped"]["messages"]) == (2, 7)
    assert told["history"]["dropped"]["reason"] == "context"
    assert len(told["warnings"]) == 3
    assert all('Set models."gpt-4o".context_tokens to' in warning for warning in told["warnings"])


async def test_a_response_that_ends_as_too_long_before_a_word_is_asked_for_again() -> None:
    async with open_service() as service:
        service.simulator.enqueue(Scenario.from_failure("context_length_exceeded", TOO_LONG))
        run = await run_on(service, *numbered(1, 2, 3))
        roles = [message["role"] for message in await service.list_messages(run)]

    assert (run["status"], roles) == ("completed", ["user", "user", "user", "assistant"])
    assert [len(asked["input"]) for asked in service.model_requests] == [3, 2]


async def test_a_stream_that_ends_as_too_long_before_a_word_goes_on_with_another_response() -> None:
    async with open_service() as service:
        service.simulator.enqueue(Scenario.from_failure("context_length_exceeded", TOO_LONG))
        thread_id = await service.create_thread(*numbered(1, 2, 3))

        events = await service.collect_events(
            f"/threads/{thread_id}/runs", assistant_id=await service.create_assistant()
        )

    assert list_event_names(events).count("message.created") == 1
    assert list_event_names(events)[-2:] == ["run.completed", "done"]
    assert [len(asked["input"]) for asked in service.model_requests] == [3, 2]


async def test_a_response_that_ends_as_too_long_after_words_were_told_fails_its_run() -> None:
    async with open_service() as service:
        service.simulator.enqueue(Scenario.from_failure("context_length_exceeded", TOO_LONG, TextMessage("Half a")))
        thread_id = await service.create_thread(*numbered(1, 2, 3))

        events = await service.collect_events(
            f"/threads/{thread_id}/runs", assistant_id=await service.create_assistant()
        )

    assert list_event_names(events)[-2:] == ["run.failed", "done"]
    assert TOO_LONG in events[-2].data["last_error"]["message"]
    assert len(service.model_requests) == 1


@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (2, 3)])
async def test_it_is_tried_as_often_as_the_setting_says(retries: int, asked: int) -> None:
    async with open_service(truncation={"overflow_retries": retries}) as service:
        narrow(service, 10)
        run = await run_on(service, *numbered(*range(1, 10)))

    assert (run["status"], len(service.model_requests)) == ("failed", asked)
    assert TOO_LONG in get_last_error(run)["message"]


async def test_the_newest_turn_is_never_cut() -> None:
    async with open_service() as service:
        narrow(service, 10)
        run = await run_on(service, *numbered(1, 2))

    assert [texts(asked) for asked in service.model_requests] == [numbered(1, 2), numbered(2)]
    assert (run["status"], get_usage(run)["total_tokens"]) == ("failed", 0)
    assert TOO_LONG in get_last_error(run)["message"]


async def test_last_messages_are_sent_exactly_or_not_at_all() -> None:
    async with open_service() as service:
        narrow(service, 60)
        run = await run_on(
            service, *numbered(1, 2, 3), truncation_strategy={"type": "last_messages", "last_messages": 2}
        )

    assert [texts(asked) for asked in service.model_requests] == [numbered(2, 3)]
    assert run["status"] == "failed"


async def test_what_the_warning_says_to_set_helps() -> None:
    async with open_service(models={"gpt-4o": {"context_tokens": 220}}) as service:
        narrow(service, 170)
        run = await run_on(service, *numbered(*range(1, 10)))
        told = await turn_report(service, run)

    assert run["status"] == "completed"
    assert (len(service.model_requests), told["warnings"]) == (1, [])
