from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.translation.event_order import check_turn
from tests.bridge.translation.upstream_events import STREAMS, final_event, message, output_text, translator
from threadbridge.ports import Event
from threadbridge.translation.stream_translator import TurnTranslator, iterate_events

FINISHED = [kind for kind, stream in STREAMS.items() if stream[-1]["response"]["output"]]


def fed(stream: list[Any], turn: TurnTranslator) -> list[Event]:
    return [event for upstream in stream for event in turn.translate(upstream)]


@pytest.mark.parametrize("kind", FINISHED)
def test_a_whole_response_leaves_what_its_stream_leaves(kind: str) -> None:
    streamed, polled = translator(), translator()
    fed(STREAMS[kind], streamed)

    events = fed(list(iterate_events(STREAMS[kind][-1]["response"])), polled)

    check_turn(events)
    assert polled.outcome == streamed.outcome


@pytest.mark.parametrize(
    ("fields", "last"),
    [
        ({"status": None}, "response.completed"),
        ({"status": "complete"}, "response.completed"),
        ({"status": None, "error": {"code": "server_error", "message": "No."}}, "response.failed"),
        ({"status": None, "incomplete_details": {"reason": "length"}}, "response.incomplete"),
        ({"status": "cancelled"}, "response.cancelled"),
    ],
)
def test_the_last_event_is_found_without_a_proper_status_too(fields: Any, last: str) -> None:
    response = final_event([])["response"] | fields

    assert [event["type"] for event in iterate_events(response)][-1] == last


def test_a_response_that_is_not_finished_has_no_last_event() -> None:
    response = final_event([message(output_text("Hello"))])["response"] | {"status": "queued"}

    assert [event["type"] for event in iterate_events(response)] == ["response.created", "response.output_item.done"]
