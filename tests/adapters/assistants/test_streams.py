"""Streamed runs through the assistants backend."""

from __future__ import annotations

import asyncio
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.adapters.assistants.settings import make_settings
from tests.legacy_service import InjectedFault, LegacyService, ReceivedRequest, make_error_body
from tests.request_context import CONTEXT
from threadbridge.errors import (
    InvalidRequest,
    UnknownEvent,
    Unsupported,
    UpstreamError,
)
from threadbridge.ports import Backend, Event
from threadbridge_adapters.assistants import open_backend


def frame(name: str, data: object) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), orjson.dumps(data))


def the_only(service: LegacyService) -> ReceivedRequest:
    assert len(service.requests) == 1
    return service.requests[0]


async def test_a_streamed_run_yields_the_parsed_events_up_to_done(backend: Backend, service: LegacyService) -> None:
    events = [
        Event("thread.run.created", {"id": "run_1", "x_future": [1.5]}),
        Event("thread.some.news", {"id": "new_1"}),
        Event("thread.run.completed", {"id": "run_1"}),
    ]
    service.frames = [
        b": ping\n\n",
        *(frame(event.name, event.data) for event in events),
        b"event: done\ndata: [DONE]\n\n",
    ]

    stream = await backend.stream_run(CONTEXT, "thread_1", {"assistant_id": "asst_1"})
    received = [event async for event in stream]

    assert received == events
    assert orjson.loads(the_only(service).body) == {"assistant_id": "asst_1", "stream": True}


async def test_a_stream_of_a_new_thread_asks_its_own_path(backend: Backend, service: LegacyService) -> None:
    service.frames = [b"event: done\ndata: [DONE]\n\n"]

    stream = await backend.stream_thread_and_run(CONTEXT, {"assistant_id": "asst_1"}, include=["x"])
    received = [event async for event in stream]

    assert received == []
    assert (the_only(service).raw_path, the_only(service).query) == ("/v1/threads/runs", [("include[]", "x")])


@pytest.mark.parametrize("wrapped", [False, True])
async def test_an_error_event_is_raised_with_what_it_says(
    backend: Backend, service: LegacyService, wrapped: bool
) -> None:
    error = {"message": "The server had an error.", "type": "server_error", "param": None, "code": "boom"}
    data = {"error": error} if wrapped else error
    service.frames = [frame("thread.run.created", {"id": "run_1"}), frame("error", data)]
    stream = await backend.stream_run(CONTEXT, "thread_1", {})
    first = await anext(stream)

    with pytest.raises(UpstreamError, match="The server had an error") as raised:
        await anext(stream)

    assert first.name == "thread.run.created"
    assert (raised.value.status, raised.value.code, raised.value.body) == (500, "boom", error)


async def test_a_broken_connection_in_a_stream_is_an_upstream_error(backend: Backend, service: LegacyService) -> None:
    service.frames = [frame("thread.run.created", {"id": "run_1"})]
    service.breaks_stream = True
    stream = await backend.stream_run(CONTEXT, "thread_1", {})
    await anext(stream)

    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1:\d+ broke off a stream"):
        await anext(stream)

    assert [event async for event in stream] == []


async def test_a_stream_that_ends_before_the_run_is_over_is_an_upstream_error(
    backend: Backend, service: LegacyService
) -> None:
    service.frames = [frame("thread.run.in_progress", {"id": "run_1"})]
    stream = await backend.stream_run(CONTEXT, "thread_1", {})
    await anext(stream)

    with pytest.raises(UpstreamError, match="ended a stream before the run was over"):
        await anext(stream)


async def test_a_stream_without_done_may_end_after_the_last_word_on_the_run(
    backend: Backend, service: LegacyService
) -> None:
    service.frames = [frame("thread.run.requires_action", {"id": "run_1"})]

    stream = await backend.stream_run(CONTEXT, "thread_1", {})
    received = [event.name async for event in stream]

    assert received == ["thread.run.requires_action"]


async def test_an_event_that_is_not_json_is_an_upstream_error(backend: Backend, service: LegacyService) -> None:
    service.frames = [b"event: thread.run.created\ndata: {oops\n\n"]
    stream = await backend.stream_run(CONTEXT, "thread_1", {})

    with pytest.raises(UpstreamError, match="'thread.run.created' that is not a JSON object"):
        await anext(stream)


@pytest.mark.parametrize("read_first", [0, 1])
async def test_closing_a_stream_early_closes_its_connection(
    backend: Backend, service: LegacyService, read_first: int
) -> None:
    service.frames = [frame("thread.message.delta", {"id": "msg_1", "delta": "x" * 1000})] * 100_000
    stream = await backend.stream_run(CONTEXT, "thread_1", {})
    for _ in range(read_first):
        await anext(stream)

    await stream.aclose()  # type: ignore[attr-defined]

    assert await asyncio.to_thread(service.stream_closed.wait, 5)
    assert [event async for event in stream] == []


async def test_a_refused_stream_is_an_exception_and_no_event(backend: Backend, service: LegacyService) -> None:
    text = "Thread thread_1 already has an active run run_1."
    service.faults.append(InjectedFault("/runs", 400, make_error_body(text)))

    with pytest.raises(InvalidRequest, match=text):
        await backend.stream_run(CONTEXT, "thread_1", {})


async def test_an_answer_that_is_no_stream_is_an_upstream_error(backend: Backend, service: LegacyService) -> None:
    service.faults.append(InjectedFault("/runs", 200, b'{"id":"run_1"}'))

    with pytest.raises(UpstreamError, match="something other than a stream"):
        await backend.stream_run(CONTEXT, "thread_1", {})


async def test_a_polled_run_is_never_asked_to_stream(backend: Backend, service: LegacyService) -> None:
    await backend.create_run(CONTEXT, "thread_1", {"assistant_id": "asst_1", "stream": True})

    assert orjson.loads(the_only(service).body) == {"assistant_id": "asst_1"}


RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings"


def recorded_streams() -> list[Any]:
    """The Assistants v2 streams among the shared recordings."""
    if not (RECORDINGS / "load.py").exists():
        return []
    spec = spec_from_file_location("shared_recordings", RECORDINGS / "load.py")
    assert spec is not None
    assert spec.loader is not None
    load = module_from_spec(spec)
    sys.modules[spec.name] = load  # its dataclasses look themselves up there
    spec.loader.exec_module(load)
    found = [each for each in load.interactions(RECORDINGS / "assistants") if each.stream and each.response_body]
    return [each for each in found if "thread.run.step.completed" in each.events and "done" in each.events]


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the shared recordings are not here")
async def test_recorded_streams_come_out_as_they_were_recorded(backend: Backend, service: LegacyService) -> None:
    recordings = recorded_streams()

    for recording in recordings:
        service.frames = [recording.response_body.encode()]
        stream = await backend.stream_run(CONTEXT, "thread_1", {})
        told = [(event.name, event.data) async for event in stream]
        assert told == [pair for pair in recording.sse if pair[0] != "done"]

    assert recordings


async def test_a_run_is_not_followed_unless_the_service_is_said_to_do_it(
    backend: Backend, service: LegacyService
) -> None:
    with pytest.raises(Unsupported, match=r"assistants\.follow_runs"):
        await backend.follow_run(CONTEXT, "thread_1", "run_1")

    assert not backend.capabilities.follows_runs
    assert service.requests == []


async def test_a_run_is_followed_behind_an_event_and_the_ids_are_handed_on(service: LegacyService, url: str) -> None:
    backend = await open_backend(make_settings(url, follow_runs=True))
    completed = b'id: log-8\nevent: thread.run.completed\ndata: {"id":"run_1"}\n\n'
    service.frames = [completed, b"event: done\ndata: [DONE]\n\n"]

    events = [event async for event in await backend.follow_run(CONTEXT, "thread_1", "run_1", after="log-7")]
    await backend.aclose()

    asked = the_only(service)
    assert events == [Event("thread.run.completed", {"id": "run_1"}, "log-8")]
    assert (asked.method, asked.raw_path.partition("?")[0]) == ("GET", "/v1/threads/thread_1/runs/run_1/events")
    assert asked.headers["last-event-id"] == "log-7"
    assert asked.headers["accept"] == "text/event-stream"


@pytest.mark.parametrize("after", ["é", "one\ntwo"])
async def test_an_event_id_that_no_header_can_hold_is_unknown(url: str, after: str) -> None:
    backend = await open_backend(make_settings(url, follow_runs=True))

    with pytest.raises(UnknownEvent):
        await backend.follow_run(CONTEXT, "thread_1", "run_1", after=after)
    await backend.aclose()
