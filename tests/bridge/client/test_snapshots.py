"""What handlers are called with, and what they are shown: pure, event by event."""

from __future__ import annotations

from typing import Any, cast

import pytest

from tests.bridge.client.wire_objects import MESSAGE, call_stream, message_delta, step_delta, text, text_stream
from threadbridge.client._snapshots import StreamSnapshots
from threadbridge.errors import TranslationError
from threadbridge.ports import Event
from threadbridge.types import Message, parse_event

Hooks = list[tuple[str, tuple[Any, ...]]]


def hooks(events: list[Event]) -> Hooks:
    """What a handler is called with, in order."""
    snapshots = StreamSnapshots()
    return [hook for event in events for hook in snapshots.apply_event(parse_event(event))]


def names(events: list[Event]) -> list[str]:
    return [hook for hook, _ in hooks(events)]


def test_a_text_answer_calls_the_hooks_of_the_sdk_in_order() -> None:
    assert names(text_stream("Hel", "lo")) == [
        "on_run_step_created",
        "on_message_created",
        "on_text_created",
        "on_text_delta",
        "on_message_delta",
        "on_text_delta",
        "on_message_delta",
        "on_text_done",
        "on_message_done",
        "on_run_step_done",
    ]


def test_a_function_call_calls_the_hooks_of_the_sdk_in_order() -> None:
    assert names(call_stream(['{"a":1,', '"b":2}'])) == [
        "on_run_step_created",
        "on_tool_call_created",
        "on_run_step_delta",
        "on_tool_call_delta",
        "on_run_step_delta",
        "on_tool_call_delta",
        "on_run_step_delta",
        "on_tool_call_done",
    ]


def test_snapshots_grow_by_the_rules() -> None:
    snapshots = StreamSnapshots()
    seen = list[str]()

    for event in text_stream("Hel", "lo")[:-3]:
        for hook, arguments in snapshots.apply_event(parse_event(event)):
            if hook == "on_text_delta":
                seen.append(arguments[1].value)

    assert seen == ["Hel", "Hello"]
    assert snapshots.message is not None
    assert snapshots.message.content[0].type == "text"


def test_arguments_of_a_call_are_put_together() -> None:
    snapshots = StreamSnapshots()

    for event in call_stream(['{"a":1,', '"b":2}']):
        for _ in snapshots.apply_event(parse_event(event)):
            pass

    step = snapshots.steps["step_1"]
    assert step.model_dump(mode="json", exclude_unset=True)["step_details"] == {
        "type": "tool_calls",
        "tool_calls": [
            {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": "add", "arguments": '{"a":1,"b":2}', "output": None},
            }
        ],
    }


def test_annotations_images_and_second_parts_find_their_places() -> None:
    citation = {
        "index": 0,
        "type": "file_citation",
        "text": "【4:0†a.txt】",
        "start_index": 3,
        "end_index": 13,
        "file_citation": {"file_id": "file-1", "quote": ""},
    }
    image = {"index": 0, "type": "image_file", "image_file": {"file_id": "file-2"}}
    events = [
        Event("thread.message.created", MESSAGE),
        message_delta(image),
        message_delta(text(1, "see", annotations=[])),
        message_delta(text(1, "【4:0†a.txt】", annotations=[citation])),
    ]
    snapshots = StreamSnapshots()

    called = [hook for event in events for hook, _ in snapshots.apply_event(parse_event(event))]

    assert snapshots.message is not None
    assert snapshots.message.model_dump(mode="json", exclude_unset=True)["content"] == [
        image,
        text(1, "see【4:0†a.txt】", annotations=[citation]),
    ]
    assert called == [
        "on_message_created",
        "on_message_delta",
        "on_image_file_done",
        "on_text_created",
        "on_text_delta",
        "on_message_delta",
        "on_text_delta",
        "on_message_delta",
    ]


def test_two_fragments_for_one_new_entry_in_one_frame_are_joined() -> None:
    opening = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a"'}}
    more = {"index": 0, "type": "function", "function": {"arguments": ":1}"}}
    snapshots = StreamSnapshots()

    for event in [*call_stream([])[:5], step_delta(opening, more)]:
        for _ in snapshots.apply_event(parse_event(event)):
            pass

    details = snapshots.steps["step_1"].step_details
    assert details.type == "tool_calls"
    assert [getattr(call, "function").arguments for call in details.tool_calls] == ['{"a":1}']  # noqa: B009  # a union


def test_parts_of_types_newer_than_this_version_grow_too() -> None:
    events = [
        Event("thread.message.created", MESSAGE),
        message_delta({"index": 0, "type": "audio", "audio": {"text": "a", "seconds": 1, "final": False}}),
        message_delta({"index": 0, "type": "audio", "audio": {"text": "b", "seconds": 2, "final": True}}),
    ]
    snapshots = StreamSnapshots()

    for event in events:
        for _ in snapshots.apply_event(parse_event(event)):
            pass

    assert snapshots.message is not None
    assert snapshots.message.model_dump(mode="json", exclude_unset=True)["content"] == [
        {"index": 0, "type": "audio", "audio": {"text": "ab", "seconds": 3, "final": True}}
    ]


def test_the_object_of_an_event_does_not_grow_with_the_snapshot() -> None:
    created = parse_event(Event("thread.message.created", MESSAGE))
    snapshots = StreamSnapshots()

    for event in [created, parse_event(message_delta(text(0, "Hi")))]:
        for _ in snapshots.apply_event(event):
            pass

    assert cast("Message", created.data).content == []


@pytest.mark.parametrize("stray", [message_delta(text(0, "Hi")), step_delta({"index": 0, "type": "function"})])
def test_a_delta_of_something_never_created_is_an_error(stray: Event) -> None:
    with pytest.raises(TranslationError, match=r"came before its thread\.(message|run\.step)\.created"):
        hooks([stray])
