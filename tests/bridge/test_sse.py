"""Encoding and decoding of server-sent events."""

from __future__ import annotations

import pytest

from threadbridge.errors import UpstreamError
from threadbridge.ports import Event
from threadbridge.sse import ServerSentEvent, SSEDecoder, decode_frame, encode_frame
from threadbridge.wire.event_stream import DONE_FRAME

STREAM = 'event: one\ndata: {"a":"é"}\n\n: ping\n\nevent: two\ndata: x\ndata: y\nid: 7\n\ndata: unnamed\n\n'
EVENTS = [
    ServerSentEvent("one", '{"a":"é"}'.encode()),
    ServerSentEvent("two", b"x\ny", "7"),
    ServerSentEvent("message", b"unnamed"),
]

ENDINGS = pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])


@ENDINGS
@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 1000])
def test_events_are_decoded_from_chunks_of_any_size(ending: str, size: int) -> None:
    data = STREAM.replace("\n", ending).encode()
    decoder = SSEDecoder()

    events = [event for at in range(0, len(data), size) for event in decoder.receive_data(data[at : at + size])]

    assert events == EVENTS


@ENDINGS
def test_an_event_is_returned_with_the_chunk_that_ends_it(ending: str) -> None:
    frame = f"event: one{ending}data: x{ending}{ending}".encode()
    decoder = SSEDecoder()

    first = decoder.receive_data(frame)
    second = decoder.receive_data(frame)

    assert first == second == [ServerSentEvent("one", b"x")]


def test_a_line_feed_alone_after_a_carriage_return_ends_no_second_line() -> None:
    decoder = SSEDecoder()

    events = [
        *decoder.receive_data(b"data: x\r"),
        *decoder.receive_data(b"\n"),
        *decoder.receive_data(b"\r"),
        *decoder.receive_data(b"\n"),
    ]

    assert events == [ServerSentEvent("message", b"x")]


def test_an_encoded_event_can_be_decoded() -> None:
    event = Event("thread.message.delta", {"id": "msg_1", "text": "line\nline\r é 🧪"})

    events = SSEDecoder().receive_data(encode_frame(event) + DONE_FRAME)

    assert [sse.event for sse in events] == ["thread.message.delta", "done"]
    assert events[0].data == '{"id":"msg_1","text":"line\\nline\\r é 🧪"}'.encode()
    assert events[1].data == b"[DONE]"


def test_an_unterminated_event_is_not_returned() -> None:
    assert SSEDecoder().receive_data(b"event: one\ndata: x\n") == []


def test_an_event_name_without_data_is_discarded() -> None:
    assert SSEDecoder().receive_data(b"event: one\n\ndata: x\n\n") == [ServerSentEvent("message", b"x")]


def test_empty_data_is_an_event() -> None:
    assert SSEDecoder().receive_data(b"data\n\ndata:\n\n") == [
        ServerSentEvent("message", b""),
        ServerSentEvent("message", b""),
    ]


def test_only_one_leading_space_is_removed() -> None:
    assert SSEDecoder().receive_data(b"event:one\ndata:  x\n\n") == [ServerSentEvent("one", b" x")]


def test_a_byte_order_mark_at_the_start_is_skipped() -> None:
    assert SSEDecoder().receive_data(b"\xef\xbb\xbfdata: x\n\n") == [ServerSentEvent("message", b"x")]


def test_an_event_may_be_as_long_as_the_limit() -> None:
    decoder = SSEDecoder(max_event_bytes=20)

    events = [event for _ in range(3) for event in decoder.receive_data(b"data: 0123456789\n\n")]

    assert events == [ServerSentEvent("message", b"0123456789")] * 3


@pytest.mark.parametrize("chunk", [b"x" * 5, b"data: x\n", b"data:\n"])
def test_an_event_over_the_limit_raises(chunk: bytes) -> None:
    decoder = SSEDecoder(max_event_bytes=20)
    endless = (decoder.receive_data(chunk) for _ in range(100))

    with pytest.raises(UpstreamError, match="longer than 20 bytes"):
        list(endless)


@pytest.mark.parametrize("event_id", [None, "r-1"])
def test_characters_that_clients_take_for_line_ends_are_escaped(event_id: str | None) -> None:
    event = Event("thread.message.delta", {"text": "a\u2028b\u2029c\x85d", "\u2028": "é — ’"}, event_id)

    frame = encode_frame(event)

    assert len(frame.decode().splitlines()) == len(frame.split(b"\n")) - 1
    assert decode_frame(frame) == event
