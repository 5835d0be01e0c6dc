"""Numbered differences that settings change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.emulated_service import WEATHER, EmulatedService, message_text, open_service, run_path, wait_until
from threadbridge.api_types import JsonObject

HELLO: JsonObject = {"role": "user", "content": "Hello"}


@pytest.fixture
async def queueing_service() -> AsyncIterator[EmulatedService]:
    """A service whose requests wait for busy threads, at most two of them, at most a minute."""
    limits = {"busy_wait_seconds": 60, "busy_waiting_requests": 2}
    async with open_service(policies={"busy_thread": "queue"}, limits=limits) as opened:
        yield opened


async def test_d1_a_policy_rejects_unknown_cursors() -> None:
    async with open_service(policies={"unknown_cursor": "error"}) as service:
        known = await service.create_assistant()
        thread_id, other_id = await service.create_thread("Hi"), await service.create_thread("Hi")
        of_other = (await service.get(f"/threads/{other_id}/messages")).body["first_id"]

        refused = await service.get("/assistants", after="asst_nobody")
        response = await service.get("/assistants", after=known)
        of_another_thread = await service.get(f"/threads/{thread_id}/messages", before=of_other)

    assert (refused.status, refused.error["param"], refused.error["code"]) == (400, "after", "invalid_value")
    assert refused.error["message"] == "Invalid 'after': no assistant found with id 'asst_nobody'."
    assert (response.status, of_another_thread.status, of_another_thread.error["param"]) == (200, 400, "before")


async def test_d27_a_limit_bounds_the_texts_of_messages() -> None:
    async with open_service(limits={"message_characters": 10}) as service:
        path = f"/threads/{await service.create_thread()}/messages"

        response = await service.post(path, role="user", content="0123456789")
        refused = await service.post(path, role="user", content="0123456789x")
        part = await service.post(path, role="user", content=[{"type": "text", "text": "0123456789x"}])

    assert response.status == 200
    assert (refused.status, refused.error["param"], refused.error["code"]) == (
        400,
        "content",
        "string_above_max_length",
    )
    assert part.error["param"] == "content[0].text"


async def test_d72_a_message_waits_until_the_run_has_ended(queueing_service: EmulatedService) -> None:
    run = await queueing_service.run_to_rest("CALL get_weather {}", tools=[WEATHER])

    waiting = asyncio.create_task(queueing_service.post(f"/threads/{run['thread_id']}/messages", **HELLO))
    await asyncio.sleep(0.01)
    before = [message_text(message) for message in await queueing_service.list_messages(run)]
    await queueing_service.submit_outputs(run)
    queueing_service.clock.advance(1)
    added = await waiting

    assert (added.status, before) == (200, ["CALL get_weather {}"])
    assert [message_text(message) for message in await queueing_service.list_messages(run)] == [
        "CALL get_weather {}",
        "RESULT: sunny",
        "Hello",
    ]


async def test_d72_runs_and_messages_of_one_thread_are_queued_in_order(queueing_service: EmulatedService) -> None:
    run = await queueing_service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    thread = f"/threads/{run['thread_id']}"

    message = asyncio.create_task(queueing_service.post(f"{thread}/messages", **HELLO))
    await asyncio.sleep(0.01)
    second = asyncio.create_task(queueing_service.post(f"{thread}/runs", assistant_id=run["assistant_id"]))
    await asyncio.sleep(0.01)
    await queueing_service.submit_outputs(run)
    await wait_until(lambda: advance_and_check(queueing_service, second), lambda state: state["done"])
    ended = await queueing_service.wait_until_rest(second.result().body)

    assert message.result().status == 200
    assert ended["status"] == "completed"
    assert message_text((await queueing_service.list_messages(run))[-1]) == "ECHO: Hello"


async def advance_and_check(service: EmulatedService, task: asyncio.Task[object]) -> JsonObject:
    """Advance the clock; whether the task is done."""
    service.clock.advance(0.3)
    return {"done": task.done()}


async def test_d72_a_request_that_waited_too_long_gets_the_usual_error(queueing_service: EmulatedService) -> None:
    run = await queueing_service.run_to_rest("CALL get_weather {}", tools=[WEATHER])

    waiting = asyncio.create_task(queueing_service.post(f"/threads/{run['thread_id']}/messages", **HELLO))
    await asyncio.sleep(0.01)
    queueing_service.clock.advance(61)
    refused = await waiting

    assert refused.status == 400
    assert refused.error["message"] == f"Can't add messages to {run['thread_id']} while a run {run['id']} is active."
    assert len(await queueing_service.list_messages(run)) == 1


async def test_d72_requests_beyond_the_queue_length_are_rejected_immediately(queueing_service: EmulatedService) -> None:
    run = await queueing_service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    path = f"/threads/{run['thread_id']}/messages"

    waiting = [asyncio.create_task(queueing_service.post(path, **HELLO)) for _ in range(2)]
    await asyncio.sleep(0.01)
    refused = await queueing_service.post(path, **HELLO)
    await queueing_service.post(f"{run_path(run)}/cancel")
    queueing_service.clock.advance(1)
    answers = [await task for task in waiting]

    assert (refused.status, [answer.status for answer in answers]) == (400, [200, 200])
    assert len(await queueing_service.list_messages(run)) == 3


async def test_d72_queued_requests_proceed_after_the_run_expired(queueing_service: EmulatedService) -> None:
    run = await queueing_service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
    queueing_service.clock.advance(599)

    waiting = asyncio.create_task(queueing_service.post(f"/threads/{run['thread_id']}/messages", **HELLO))
    await asyncio.sleep(0.01)
    queueing_service.clock.advance(10)

    assert (await waiting).status == 200
    assert (await queueing_service.retrieve_run(run))["status"] == "expired"


async def test_d72_requests_with_other_errors_do_not_wait(queueing_service: EmulatedService) -> None:
    run = await queueing_service.run_to_rest("CALL get_weather {}", tools=[WEATHER])

    refused = await queueing_service.post(f"/threads/{run['thread_id']}/messages", role="nobody", content="Hello")

    assert (refused.status, refused.error["param"]) == (400, "role")
