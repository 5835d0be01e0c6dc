"""A repeated request gets the first answer again: by its idempotency key, or as a later attempt on the same thread."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from tests.emulated_service import BETA, WEATHER, EmulatedService, get_required_calls, open_service, run_path
from threadbridge.api_types import RunObject
from threadbridge.settings import Limits
from threadbridge.sse import SSEDecoder

HELLO = {"role": "user", "content": "Hello"}


@pytest.fixture
async def service() -> AsyncIterator[EmulatedService]:
    async with open_service() as opened:
        yield opened


async def post(
    service: EmulatedService, path: str, body: object, *, attempt: int | None = None, key: str | None = None
) -> Any:
    """The object in the answer to one attempt; of an error, its code."""
    headers = dict(BETA)
    if attempt is not None:
        headers["x-stainless-retry-count"] = str(attempt)
    if key is not None:
        headers["idempotency-key"] = key
    response = await service.send("POST", path, orjson.dumps(body), headers=headers)
    if isinstance(response.body, bytes):
        answer = orjson.loads(response.body)
        return answer["error"]["code"] if response.status >= 400 else answer
    decoder = SSEDecoder()
    return [
        (name, b"" if name == "done" else orjson.loads(data))
        async for frame in response.body
        for name, data, _ in decoder.receive_data(frame)
    ]


def names(events: Any) -> list[str]:
    return [name.removeprefix("thread.") for name, _ in events if not name.endswith(".delta")]


async def count(service: EmulatedService, path: str) -> int:
    return len((await service.get(path, limit="100")).body["data"])


async def start_thread(service: EmulatedService, text: str = "Hello") -> tuple[str, dict[str, object]]:
    """The path of a new thread with one message, and the body of a run on it."""
    return f"/threads/{await service.create_thread(text)}", {"assistant_id": await service.create_assistant()}


# Without a key: attempts on one thread


async def test_a_later_attempt_gets_the_message_of_an_earlier_one(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"

    answers = [await post(service, path, HELLO, attempt=attempt) for attempt in (0, 1, 3)]

    assert [answer == answers[0] for answer in answers] == [True, True, True]
    assert await count(service, path) == 1


async def test_equal_messages_sent_on_purpose_stay_two(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"

    first = [(await post(service, path, HELLO, attempt=0))["id"] for _ in range(2)]
    repeats = [(await post(service, path, HELLO, attempt=1))["id"] for _ in range(2)]
    without_a_count = [(await post(service, path, HELLO))["id"] for _ in range(2)]

    assert len(set(first)) == 2
    assert set(repeats) == set(first)  # each attempt is used once
    assert await count(service, path) == 4
    assert len(set(first + without_a_count)) == 4


async def test_messages_sent_at_once_are_each_found_by_their_repeat(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"
    bodies = [{**HELLO, "content": f"Hello {number}"} for number in range(9)]

    first = await asyncio.gather(*(post(service, path, body, attempt=0) for body in bodies))
    repeats = await asyncio.gather(*(post(service, path, body, attempt=1) for body in bodies))

    assert repeats == first
    assert await count(service, path) == 9


async def test_a_retry_of_what_never_arrived_is_performed(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"

    lost = await post(service, path, HELLO, attempt=1)
    repeat = await post(service, path, HELLO, attempt=2)

    assert lost["id"] == repeat["id"]
    assert await count(service, path) == 1


async def test_an_equal_message_after_a_run_is_a_new_one_though_its_first_attempt_was_lost(
    service: EmulatedService,
) -> None:
    path, run = await start_thread(service)
    first = await post(service, f"{path}/messages", HELLO, attempt=0)
    await service.wait_until_rest(await post(service, f"{path}/runs", run, attempt=0))

    second = await post(service, f"{path}/messages", HELLO, attempt=1)

    assert second["id"] != first["id"]


async def test_a_later_attempt_gets_the_run_also_while_it_locks_the_thread(service: EmulatedService) -> None:
    path, run = await start_thread(service, "SLOW 0.01\nSAY one two three")

    first = await post(service, f"{path}/runs", run, attempt=0)
    repeat = await post(service, f"{path}/runs", run, attempt=1)
    await service.wait_until_rest(first)
    late_repeat = await post(service, f"{path}/runs", run, attempt=2)

    assert first["id"] == repeat["id"] == late_repeat["id"]
    assert late_repeat["status"] == "completed"
    assert await count(service, f"{path}/runs") == 1


async def test_an_equal_run_after_another_message_is_a_new_one_though_its_first_attempt_was_lost(
    service: EmulatedService,
) -> None:
    path, run = await start_thread(service)
    first = await service.wait_until_rest(await post(service, f"{path}/runs", run, attempt=0))
    await post(service, f"{path}/messages", HELLO, attempt=0)

    second = await post(service, f"{path}/runs", run, attempt=1)

    assert second["id"] != first["id"]


async def test_a_cancelled_run_and_a_deleted_message_are_no_answers(service: EmulatedService) -> None:
    path, run = await start_thread(service)
    run["tools"] = [WEATHER]
    message = await post(service, f"{path}/messages", HELLO, attempt=0)
    await service.delete(f"{path}/messages/{message['id']}")
    call = {**HELLO, "content": "CALL get_weather {}"}
    other_message = await post(service, f"{path}/messages", HELLO, attempt=1)
    await post(service, f"{path}/messages", call, attempt=0)
    first = await service.wait_until_rest(await post(service, f"{path}/runs", run, attempt=0))
    await service.post(f"{run_path(first)}/cancel")
    await service.wait_for_status(first, "cancelled")

    other_run = await post(service, f"{path}/runs", run, attempt=1)

    assert other_message["id"] != message["id"]
    assert other_run["id"] != first["id"]


async def test_threads_and_assistants_are_never_shared_without_a_key(service: EmulatedService) -> None:
    assistant = {"model": "gpt-4o"}
    run = {"assistant_id": await service.create_assistant(), "thread": {"messages": [HELLO]}}

    for path, body in (("/threads", {}), ("/assistants", assistant), ("/threads/runs", run)):
        first, second = [(await post(service, path, body, attempt=attempt))["id"] for attempt in (0, 1)]
        assert first != second


async def test_a_record_is_outdated_after_a_while(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"
    first = await post(service, path, HELLO, attempt=0)
    service.clock.advance(Limits().retry_seconds)

    second = await post(service, path, HELLO, attempt=1)

    assert second["id"] != first["id"]


async def test_an_attempt_that_is_still_performed_when_the_next_arrives_is_performed_once(
    service: EmulatedService,
) -> None:
    path = f"/threads/{await service.create_thread()}/messages"
    file_id = await service.upload_file()
    body = {**HELLO, "attachments": [{"file_id": file_id, "tools": [{"type": "file_search"}]}]}

    answers = await asyncio.gather(*(post(service, path, body, attempt=attempt) for attempt in (0, 1)))

    assert answers[0] == answers[1]
    assert await count(service, path) == 1


async def test_outputs_that_were_received_are_not_rejected_when_they_are_sent_again(service: EmulatedService) -> None:
    run = await service.run_to_rest("CALL get_weather {}\nSAY done", tools=[WEATHER])
    path, body = f"{run_path(run)}/submit_tool_outputs", build_outputs(run)

    await service.wait_until_rest(await post(service, path, body, attempt=0))
    repeat = await post(service, path, body, attempt=1)

    assert (repeat["id"], repeat["status"]) == (run["id"], "completed")


def build_outputs(run: RunObject, **options: object) -> dict[str, object]:
    outputs = [{"tool_call_id": call["id"], "output": "sunny"} for call in get_required_calls(run)]
    return {"tool_outputs": outputs, **options}


# Streams


@pytest.mark.parametrize("replay_seconds", [600, 0])
async def test_the_repeat_of_a_streamed_run_follows_it_from_its_first_event(replay_seconds: float) -> None:
    async with open_service(limits={"replay_seconds": replay_seconds}) as service:
        path, run = await start_thread(service)
        body = {**run, "stream": True}
        first = await post(service, f"{path}/runs", body, attempt=0)
        repeat = await post(service, f"{path}/runs", body, attempt=1)

        assert await count(service, f"{path}/runs") == 1
    assert repeat[-2] == first[-2]  # the completed run
    if replay_seconds:
        assert repeat == first


@pytest.mark.parametrize("replay_seconds", [600, 0])
async def test_the_repeat_of_a_streamed_turn_has_the_events_of_that_turn(replay_seconds: float) -> None:
    async with open_service(limits={"replay_seconds": replay_seconds}) as service:
        thread_id = await service.create_thread("CALL get_weather {}\nSAY done")
        path = f"/threads/{thread_id}"
        run = {"assistant_id": await service.create_assistant(tools=[WEATHER]), "stream": True}
        first_turns = [await post(service, f"{path}/runs", run, attempt=attempt) for attempt in (0, 1)]
        waiting = first_turns[0][-2][1]
        outputs = build_outputs(waiting, stream=True)
        submit = f"{run_path(waiting)}/submit_tool_outputs"
        next_turns = [await post(service, submit, outputs, attempt=attempt) for attempt in (0, 1)]

    assert [turn[-2][0] for turn in first_turns] == ["thread.run.requires_action"] * 2
    assert [turn[-2][0] for turn in next_turns] == ["thread.run.completed"] * 2
    assert next_turns[1][0][1]["id"] == next_turns[0][0][1]["id"]  # the step that got its outputs
    if replay_seconds:
        assert first_turns[1] == first_turns[0]
        assert next_turns[1] == next_turns[0]


# With a key


async def test_a_key_gets_the_first_answer_again_for_every_creation(service: EmulatedService) -> None:
    path, run = await start_thread(service)
    requests: list[tuple[str, object]] = [
        ("/assistants", {"model": "gpt-4o"}),
        ("/threads", {}),
        (f"{path}/messages", HELLO),
        (f"{path}/runs", run),
        ("/threads/runs", {**run, "thread": {"messages": [HELLO]}}),
    ]
    for number, (at, body) in enumerate(requests):
        first, repeat, other = [await post(service, at, body, key=f"{number} {key}") for key in "aab"]
        assert first["id"] == repeat["id"], at
        assert at == f"{path}/runs" or other["id"] != first["id"], at  # a thread has one run at a time


async def test_a_key_gets_the_stream_of_a_thread_and_run_again(service: EmulatedService) -> None:
    body = {"assistant_id": await service.create_assistant(), "thread": {"messages": [HELLO]}, "stream": True}

    first, repeat = [await post(service, "/threads/runs", body, key="k") for _ in range(2)]

    assert repeat == first
    assert names(first)[:2] == ["created", "run.created"]


async def test_a_key_belongs_to_one_request(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"
    await post(service, path, HELLO, key="k")

    assert await post(service, path, {**HELLO, "content": "Bye"}, key="k") == "idempotency_key_reused"
    assert await post(service, "/threads", {}, key="k") == "idempotency_key_reused"
    assert await post(service, path, HELLO, key="k" * 256) == "invalid_idempotency_key"
    assert await count(service, path) == 1


async def test_requests_with_one_key_at_once_are_performed_once(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"

    answers = await asyncio.gather(*(post(service, path, HELLO, key="k") for _ in range(5)))

    assert len({answer["id"] for answer in answers}) == 1
    assert await count(service, path) == 1


async def test_a_key_is_free_again_after_a_day(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"
    first = await post(service, path, HELLO, key="k")
    service.clock.advance(Limits().idempotency_seconds - 1)
    repeat = await post(service, path, HELLO, key="k")
    service.clock.advance(1)

    second = await post(service, path, {**HELLO, "content": "Bye"}, key="k")

    assert repeat == first
    assert second["id"] != first["id"]


async def test_a_rejected_request_may_be_corrected_under_its_key(service: EmulatedService) -> None:
    path = f"/threads/{await service.create_thread()}/messages"

    await post(service, path, {"role": "nobody", "content": "Hello"}, key="k")
    corrected = await post(service, path, HELLO, key="k")

    assert corrected["object"] == "thread.message"
