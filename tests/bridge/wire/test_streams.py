"""Answers that are streams, and how they end."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import pytest

from tests.bridge.wire.recording_backend import BackendCall, RecordingBackend, StubEventStream
from tests.bridge.wire.wire_requests import BETA, CONTENT, parse_body, read_stream, send_request
from threadbridge.errors import NotFound, UpstreamError
from threadbridge.ports import Event
from threadbridge.sse import SSEDecoder, decode_frame, encode_frame

STREAMS: dict[str, BackendCall] = {
    "/threads/thread_1/runs": BackendCall("stream_run", ("thread_1", {"stream": True}), {"include": (CONTENT,)}),
    "/threads/runs": BackendCall("stream_thread_and_run", ({"stream": True},), {"include": (CONTENT,)}),
    "/threads/thread_1/runs/run_1/submit_tool_outputs": BackendCall(
        "stream_tool_outputs", ("thread_1", "run_1", {"stream": True}), {}
    ),
}


@pytest.mark.parametrize("path", STREAMS)
async def test_stream_true_asks_for_the_events(path: str) -> None:
    events = StubEventStream(
        Event("thread.run.created", {"id": "run_1"}), Event("thread.run.queued", {"id": "run_1", "a": "é"})
    )
    backend = RecordingBackend(result=events)

    response = await send_request(backend, "POST", path, query=(("include[]", CONTENT),), body=b'{"stream":true}')

    assert backend.calls == [STREAMS[path]]
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (
        await read_stream(response)
        == (
            'event: thread.run.created\ndata: {"id":"run_1"}\n\n'
            'event: thread.run.queued\ndata: {"id":"run_1","a":"é"}\n\n'
            "event: done\ndata: [DONE]\n\n"
        ).encode()
    )
    assert events.close_count == 1


@pytest.mark.parametrize("stream", [b"false", b"null", b'"true"', b"1"])
async def test_anything_but_true_is_no_stream(stream: bytes) -> None:
    backend = RecordingBackend()

    await send_request(backend, "POST", "/threads/thread_1/runs", body=b'{"stream":' + stream + b"}")

    assert backend.calls[0].method == "create_run"


async def test_a_refusal_before_the_stream_is_an_ordinary_answer() -> None:
    backend = RecordingBackend(result=NotFound("No thread found with id 'thread_1'."))

    response = await send_request(backend, "POST", "/threads/thread_1/runs", body=b'{"stream":true}')

    assert response.status == 404
    assert parse_body(response)["error"]["message"] == "No thread found with id 'thread_1'."


async def test_a_failure_within_the_stream_is_an_error_event_and_the_stream_is_closed() -> None:
    events = StubEventStream(Event("thread.run.created", {}), UpstreamError("gone", status=503, code="overloaded"))

    response = await send_request(RecordingBackend(result=events), "POST", "/threads/runs", body=b'{"stream":true}')

    assert await read_stream(response) == (
        b"event: thread.run.created\ndata: {}\n\n"
        b'event: error\ndata: {"error":{"message":"gone","type":"server_error","param":null,"code":"overloaded"}}\n\n'
        b"event: done\ndata: [DONE]\n\n"
    )
    assert events.close_count == 1


async def test_a_bug_within_the_stream_is_logged_and_told_without_its_insides(
    caplog: pytest.LogCaptureFixture,
) -> None:
    events = StubEventStream(RuntimeError("secret"))
    response = await send_request(RecordingBackend(result=events), "POST", "/threads/runs", body=b'{"stream":true}')

    with caplog.at_level(logging.ERROR):
        frames = await read_stream(response)

    assert b"event: error\n" in frames
    assert frames.endswith(b"event: done\ndata: [DONE]\n\n")
    assert b"secret" not in frames
    assert response.headers["x-request-id"].encode() in frames
    assert "secret" in caplog.text


async def test_a_stream_that_was_never_read_can_be_closed() -> None:
    events = StubEventStream(Event("thread.run.created", {}))
    response = await send_request(RecordingBackend(result=events), "POST", "/threads/runs", body=b'{"stream":true}')
    assert isinstance(response.body, AsyncIterator)

    await response.body.aclose()  # type: ignore[attr-defined]
    rest = [frame async for frame in response.body]

    assert events.close_count == 1
    assert rest == []


async def test_a_client_that_leaves_early_closes_the_events_once() -> None:
    events = StubEventStream(Event("thread.run.created", {}), Event("thread.run.queued", {}))
    response = await send_request(RecordingBackend(result=events), "POST", "/threads/runs", body=b'{"stream":true}')
    assert isinstance(response.body, AsyncIterator)

    await anext(response.body)
    await response.body.aclose()  # type: ignore[attr-defined]
    await response.body.aclose()  # type: ignore[attr-defined]

    assert events.close_count == 1


RUN_EVENTS = "/threads/thread_1/runs/run_1/events"


async def test_the_events_of_a_run_are_asked_for_behind_the_last_one_that_was_seen() -> None:
    backend = RecordingBackend(result=StubEventStream(Event("thread.run.completed", {}, "log-8")))

    response = await send_request(backend, "GET", RUN_EVENTS, headers={**BETA, "last-event-id": "log-7"})

    assert backend.calls == [BackendCall("follow_run", ("thread_1", "run_1"), {"after": "log-7"})]
    assert await read_stream(response) == (
        b"id: log-8\nevent: thread.run.completed\ndata: {}\n\nid: log-8.done\nevent: done\ndata: [DONE]\n\n"
    )


@pytest.mark.parametrize(("seen", "after"), [("log-7.done", "log-7"), ("log-7.error", "log-7"), ("", None)])
async def test_the_frames_that_close_a_stream_stand_for_its_last_event(seen: str, after: str | None) -> None:
    backend = RecordingBackend(result=StubEventStream())

    await send_request(backend, "GET", RUN_EVENTS, headers={**BETA, "last-event-id": seen})

    assert backend.calls[0].kwargs == {"after": after}


async def test_a_run_is_followed_by_who_accepts_events_and_retrieved_by_everybody_else() -> None:
    backend = RecordingBackend(result=StubEventStream())

    await send_request(backend, "GET", "/threads/thread_1/runs/run_1", headers={**BETA, "accept": "text/event-stream"})

    assert [call.method for call in backend.calls] == ["follow_run"]


async def test_an_error_in_a_stream_with_ids_has_one_too() -> None:
    events = StubEventStream(Event("thread.run.created", {}, "log-1"), UpstreamError("gone"))

    response = await send_request(RecordingBackend(result=events), "GET", RUN_EVENTS)
    found = SSEDecoder().receive_data(await read_stream(response))

    assert [(sse.event, sse.id) for sse in found] == [
        ("thread.run.created", "log-1"),
        ("error", "log-1.error"),
        ("done", "log-1.done"),
    ]


async def test_a_stream_with_nothing_more_to_say_closes_behind_the_event_that_was_asked_for() -> None:
    response = await send_request(
        RecordingBackend(result=StubEventStream()), "GET", RUN_EVENTS, headers={**BETA, "last-event-id": "log-9"}
    )

    assert await read_stream(response) == b"id: log-9.done\nevent: done\ndata: [DONE]\n\n"


class Ready(StubEventStream):
    """Events that are frames already."""

    async def next_frames(self) -> list[bytes]:
        return [encode_frame(event) for event in [await anext(self), *[event async for event in self]]]


async def test_frames_that_are_ready_are_sent_as_they_are() -> None:
    told = (Event("thread.run.created", {"a": "é"}, "log-1"), Event("thread.run.queued", {}, "log-2"))

    ready = await read_stream(await send_request(RecordingBackend(result=Ready(*told)), "GET", RUN_EVENTS))
    encoded = await read_stream(await send_request(RecordingBackend(result=StubEventStream(*told)), "GET", RUN_EVENTS))

    assert ready == encoded
    assert [decode_frame(encode_frame(event)) for event in told] == list(told)
