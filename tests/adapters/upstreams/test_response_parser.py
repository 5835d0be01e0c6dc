"""What a service sends, in the shapes of all servers, becomes responses and events with a type, or a clear error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import AsyncOpenAI

from threadbridge.errors import UpstreamError
from threadbridge_adapters.openai_http.error_mapping import ErrorMapper
from threadbridge_adapters.upstreams.response_parser import EventStreamParser, parse_response

DELTA = {"type": "response.output_text.delta", "item_id": "msg_1", "output_index": 0, "content_index": 0}


@pytest.fixture
def error_mapper() -> ErrorMapper:
    client = AsyncOpenAI(api_key="sk-long-enough-to-hide", base_url="http://service.example/v1")
    return ErrorMapper(client, name="Responses", section="upstream")


def decode(error_mapper: ErrorMapper, *frames: str) -> list[Any]:
    return list(EventStreamParser(error_mapper).receive_data("".join(f"{frame}\n\n" for frame in frames).encode()))


def delta_frame(escaped_text: str, **changes: object) -> str:
    """The frame of a delta whose text is written in JSON's escapes."""
    data = json.dumps({**DELTA, **changes, "delta": "TEXT"}).replace("TEXT", escaped_text)
    return f"data: {data}"


@pytest.mark.parametrize(
    "body",
    [
        {"id": "resp_1", "object": "response", "status": "completed", "output": []},
        {"output": []},
        {"id": "resp_1", "status": "completed"},
    ],
)
def test_a_response_is_recognised_with_few_of_its_fields(error_mapper: ErrorMapper, body: dict[str, Any]) -> None:
    assert parse_response(json.dumps(body).encode(), error_mapper) == body


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"{}", "an empty object"),
        (b'{"status": "ok"}', "an object with status"),
        (b'{"detail": "Not Found"}', "an object with detail"),
        (b'{"id": "1", "object": "chat.completion", "choices": []}', "a 'chat.completion'"),
        (b"<html>Welcome</html>", "something that is not a JSON object"),
        (b"[]", "something that is not a JSON object"),
    ],
)
def test_what_is_no_response_points_at_the_base_url(error_mapper: ErrorMapper, body: bytes, named: str) -> None:
    with pytest.raises(UpstreamError, match=r"check `upstream\.base_url`") as caught:
        parse_response(body, error_mapper)

    assert named in caught.value.message


def test_an_error_that_is_sent_with_status_200_keeps_its_message_and_code(error_mapper: ErrorMapper) -> None:
    with pytest.raises(UpstreamError) as caught:
        parse_response(b'{"error": {"message": "No credit is left.", "code": "insufficient_quota"}}', error_mapper)

    assert (caught.value.message, caught.value.code) == ("No credit is left.", "insufficient_quota")


@pytest.mark.parametrize(
    ("frame", "event"),
    [
        ('data: {"error": {"message": "No."}}', {"type": "error", "error": {"message": "No."}}),
        ('data: {"error": "No."}', {"type": "error", "error": {"message": "No."}}),
        ('event: error\ndata: {"message": "No."}', {"type": "error", "message": "No."}),
        ('event: response.created\ndata: {"response": {}}', {"type": "response.created", "response": {}}),
        ('event: ping\ndata: {"type": "response.created"}', {"type": "response.created"}),
    ],
)
def test_an_event_without_a_type_gets_it_from_its_shape_or_its_frame(
    error_mapper: ErrorMapper, frame: str, event: dict[str, Any]
) -> None:
    [decoded] = decode(error_mapper, frame)

    assert {name: decoded[name] for name in event} == event


def test_empty_events_and_the_end_mark_are_skipped(error_mapper: ErrorMapper) -> None:
    assert decode(error_mapper, "data: {}", "data: [DONE]", ": comment") == []


@pytest.mark.parametrize("data", ["[1]", "words", '{"object": "chat.completion.chunk", "choices": []}'])
def test_an_event_of_another_api_fails_the_stream(error_mapper: ErrorMapper, data: str) -> None:
    with pytest.raises(UpstreamError, match=r"check `upstream\.base_url`"):
        decode(error_mapper, f"data: {data}")


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        ([r"one \ud83d", r"\ude00 two"], "one 😀 two"),
        ([r"\ud83d", r"\ude00\ud83d", r"\ude00"], "😀😀"),
        ([r"one \ud83d", "two"], "one \ufffdtwo"),
        ([r"\ude00 two"], "\ufffd two"),
        ([r"a \ud83d b"], "a \ufffd b"),
    ],
)
def test_half_surrogate_pairs_are_joined_or_replaced(error_mapper: ErrorMapper, frames: list[str], text: str) -> None:
    events = decode(error_mapper, *map(delta_frame, frames))

    assert "".join(event["delta"] for event in events) == text


def test_a_half_that_nothing_follows_is_replaced_before_the_next_event(error_mapper: ErrorMapper) -> None:
    events = decode(error_mapper, delta_frame(r"one \ud83d"), 'data: {"type": "response.output_text.done"}')

    assert [(event["type"], event.get("delta")) for event in events] == [
        ("response.output_text.delta", "one "),
        ("response.output_text.delta", "\ufffd"),
        ("response.output_text.done", None),
    ]


def test_halves_of_different_texts_are_not_joined(error_mapper: ErrorMapper) -> None:
    events = decode(error_mapper, delta_frame(r"\ud83d"), delta_frame(r"\ude00", item_id="msg_2"))

    assert [(event["item_id"], event["delta"]) for event in events] == [("msg_1", "\ufffd"), ("msg_2", "\ufffd")]
