"""Numbered differences: extensions of streams."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import aiohttp
import orjson

from tests.bridge.engine.backend_process import BackendProcess, has_status, run_backend, wait_until
from tests.clients.client_kinds import simulated_gateway
from tests.emulated_service import BETA, EmulatedService
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import RunObject
from threadbridge.ports import Event, WireResponse
from threadbridge.sse import ServerSentEvent, SSEDecoder


async def read_frames(response: WireResponse) -> list[ServerSentEvent]:
    assert not isinstance(response.body, bytes), response.body
    return SSEDecoder().receive_data(b"".join([frame async for frame in response.body]))


async def stream_new_run(service: EmulatedService) -> list[ServerSentEvent]:
    thread = {"messages": [{"role": "user", "content": "SAY one two three"}]}
    body = {"assistant_id": await service.create_assistant(), "thread": thread, "stream": True}
    return await read_frames(await service.send("POST", "/threads/runs", orjson.dumps(body)))


async def test_d73_every_frame_has_an_id_after_which_the_stream_can_be_resumed(service: EmulatedService) -> None:
    events = await stream_new_run(service)
    run = orjson.loads(events[1].data)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/events"

    rests = [
        await read_frames(await service.send("GET", path, headers={**BETA, "last-event-id": str(frame.id)}))
        for frame in events
    ]

    assert len({frame.id for frame in events} - {None}) == len(events)
    assert rests == [*(events[at:] for at in range(1, len(events))), events[-1:]]


async def test_d73_retrieving_a_run_with_accept_event_stream_follows_it(service: EmulatedService) -> None:
    events = await stream_new_run(service)
    run = orjson.loads(events[1].data)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}"

    followed = await service.send("GET", path, headers={**BETA, "accept": "text/event-stream"})
    retrieved = await service.send("GET", path, headers={**BETA, "accept": "application/json, text/event-stream"})

    assert await read_frames(followed) == events
    assert isinstance(retrieved.body, bytes)


async def test_d73_an_unknown_event_id_is_rejected_in_the_error_envelope(service: EmulatedService) -> None:
    events = await stream_new_run(service)
    run = orjson.loads(events[1].data)
    path = f"/threads/{run['thread_id']}/runs/{run['id']}/events"

    response = await service.send("GET", path, headers={**BETA, "last-event-id": "of-another-time"})

    assert response.status == 400
    assert isinstance(response.body, bytes)
    error = orjson.loads(response.body)["error"]
    assert (error["type"], error["param"], error["code"]) == (
        "invalid_request_error",
        "Last-Event-ID",
        "unknown_event_id",
    )


async def stream_on_backend(life: BackendProcess) -> list[Event]:
    assistant = await life.backend.create_assistant(CONTEXT, {"model": "gpt-4o"})
    thread = {"messages": [{"role": "user", "content": "SAY one two three"}]}
    stream = await life.backend.stream_thread_and_run(CONTEXT, {"assistant_id": assistant["id"], "thread": thread})
    return [event async for event in stream]


async def test_d74_another_process_streams_whole_messages(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as performing, run_backend(tmp_path, clock) as other:
        events = await stream_on_backend(performing)
        run = cast("RunObject", events[-1].data)
        await wait_until(other, run, has_status("completed"))

        followed = [event async for event in await other.backend.follow_run(CONTEXT, run["thread_id"], run["id"])]

        assert [event.name for event in followed] == [
            "thread.message.created",
            "thread.message.delta",
            "thread.message.completed",
            "thread.run.step.completed",
            "thread.run.completed",
        ]
        assert followed[2].data == next(event.data for event in events if event.name == "thread.message.completed")


async def test_d75_a_silent_stream_sends_comments_between_its_frames() -> None:
    with simulated_gateway(gateway={"keep_alive_seconds": 0.02}) as gateway:
        async with aiohttp.ClientSession(headers={"OpenAI-Beta": "assistants=v2"}) as http:
            assistant = await (await http.post(f"{gateway.url}/assistants", json={"model": "gpt-4o"})).json()
            thread = {"messages": [{"role": "user", "content": "SAY one two\nSLOW 0.1"}]}
            body = {"assistant_id": assistant["id"], "thread": thread, "stream": True}
            text = await (await http.post(f"{gateway.url}/threads/runs", json=body)).text()

    comments = [line for line in text.splitlines() if line.startswith(":")]
    read_frames = text.replace(": keep-alive\n", "").split("\n\n")
    assert len(comments) > 3
    assert set(comments) == {": keep-alive"}
    assert all(frame.startswith("id: ") and "\nevent: " in frame for frame in read_frames[:-1])
