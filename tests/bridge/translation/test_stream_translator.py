from __future__ import annotations

import json
from typing import Any, cast

import pytest

from tests.bridge.translation.upstream_events import (
    NO_USAGE,
    RUN,
    STREAMS,
    USAGE,
    WIRE_USAGE,
    arguments_delta,
    call,
    created_events,
    final_event,
    item_added,
    item_done,
    message,
    message_stream,
    output_text,
    reasoning,
    response_stream,
    text_delta,
    translator,
)
from threadbridge.ports import Entry, Event, Turn
from threadbridge.translation.stream_translator import TurnOutcome, TurnTranslator
from threadbridge.translation.wire_objects import add_usage as usage_sum

SSE_RUN: Any = {**RUN, "tool_resources": {"code_interpreter": {"file_ids": []}}}


def fed(stream: list[Any], turn: TurnTranslator) -> list[Event]:
    return [event for upstream in stream for event in turn.translate(upstream)]


def outcome_of(turn: TurnTranslator) -> Any:
    """Any: the tests know the shapes of the objects."""
    assert turn.outcome is not None
    return turn.outcome


def outcome(stream: list[Any], **options: Any) -> Any:
    turn = translator(**options)
    fed(stream, turn)
    return outcome_of(turn)


def names(stream: list[Any]) -> list[str]:
    return [event.name.removeprefix("thread.") for event in fed(stream, translator())]


def texts(entries: Any) -> list[str]:
    return [part["text"]["value"] for entry in entries if entry.message for part in entry.message["content"]]


def step(step_id: str, details: Any, **fields: Any) -> Any:
    return {
        "id": step_id,
        "object": "thread.run.step",
        "created_at": 1005,
        "run_id": "run_1",
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "type": details["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expires_at": 1600,
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "usage": None,
        **fields,
    }


def rest_message(*parts: Any) -> Any:
    return {
        "id": "msg_1",
        "object": "thread.message",
        "created_at": 1005,
        "assistant_id": "asst_1",
        "thread_id": "thread_1",
        "run_id": "run_1",
        "role": "assistant",
        "content": list(parts),
        "attachments": [],
        "metadata": {},
    }


def sse_message(status: str, *parts: Any, completed_at: int | None = None) -> Any:
    body = rest_message(*parts)
    group = {"status": status, "incomplete_details": None, "incomplete_at": None, "completed_at": completed_at}
    head = {name: body.pop(name) for name in ("id", "object", "created_at", "assistant_id", "thread_id", "run_id")}
    return {**head, **group, **body}


def said_part(value: str) -> Any:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def message_delta(text: Any) -> Event:
    part = {"index": 0, "type": "text", "text": text}
    return Event(
        "thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": [part]}}
    )


def step_delta(entry: Any) -> Event:
    details = {"type": "tool_calls", "tool_calls": [entry]}
    data = {"id": "step_1", "object": "thread.run.step.delta", "delta": {"step_details": details}}
    return Event("thread.run.step.delta", data)


WRITING: Any = {"type": "message_creation", "message_creation": {"message_id": "msg_1"}}


def test_a_text_answer_gives_the_events_of_a90() -> None:
    events = fed(response_stream(message_stream(0, "Hel", "lo")), translator())

    done = {"status": "completed", "completed_at": 1005}
    assert events == [
        Event("thread.run.step.created", step("step_2", WRITING)),
        Event("thread.run.step.in_progress", step("step_2", WRITING)),
        Event("thread.message.created", sse_message("in_progress")),
        Event("thread.message.in_progress", sse_message("in_progress")),
        message_delta({"value": "Hel", "annotations": []}),
        message_delta({"value": "lo"}),
        Event("thread.message.completed", sse_message("completed", said_part("Hello"), completed_at=1005)),
        Event("thread.run.step.completed", step("step_2", WRITING, **done, usage=WIRE_USAGE)),
        Event("thread.run.completed", {**SSE_RUN, **done, "expires_at": None, "usage": WIRE_USAGE}),
    ]


def test_the_keys_of_every_object_come_in_wire_order() -> None:
    events = {event.name: event.data for event in fed(response_stream(message_stream(0, "Hello")), translator())}

    assert list(events["thread.run.step.completed"]) == list(step("step_2", WRITING))
    assert list(events["thread.message.completed"]) == list(sse_message("completed"))
    assert list(events["thread.run.completed"]) == list(RUN)


def test_a_text_answer_leaves_a_message_with_its_item_and_a_step_without_deadline() -> None:
    stream = response_stream(message_stream(0, "Hel", "lo"))

    left = outcome(stream, number=3, request_id="req_1")

    assert left == TurnOutcome(
        run=RUN | {"status": "completed", "completed_at": 1005, "expires_at": None, "usage": WIRE_USAGE},
        steps=[step("step_2", WRITING, status="completed", completed_at=1005, expires_at=None, usage=WIRE_USAGE)],
        entries=[Entry(message=rest_message(said_part("Hello")), item=stream[-2]["item"], run_id="run_1")],
        turn=Turn(3, "resp_1", "req_1", "gpt-4o-2024-08-06", WIRE_USAGE),
        last_item_id="msg_up",
    )


def test_function_calls_give_the_events_of_a91_and_one_step_that_stays_open() -> None:
    events = fed(STREAMS["parallel calls"], translator())

    opened = step("step_1", {"type": "tool_calls", "tool_calls": []})
    asked = [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}"}},
        {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": '{"a": 2}'}},
    ]
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": asked}}
    first = {"name": "look", "arguments": "", "output": None}
    assert events == [
        Event("thread.run.step.created", opened),
        Event("thread.run.step.in_progress", opened),
        step_delta({"index": 0, "id": "call_1", "type": "function", "function": first}),
        step_delta({"index": 0, "type": "function", "function": {"arguments": "{"}}),
        step_delta({"index": 0, "type": "function", "function": {"arguments": "}"}}),
        step_delta({"index": 1, "id": "call_2", "type": "function", "function": first}),
        step_delta({"index": 1, "type": "function", "function": {"arguments": '{"a"'}}),
        step_delta({"index": 1, "type": "function", "function": {"arguments": ": 2}"}}),
        Event("thread.run.requires_action", {**SSE_RUN, "status": "requires_action", "required_action": action}),
    ]


def test_function_calls_leave_their_items_and_keep_the_usage_for_the_submit() -> None:
    left = outcome(STREAMS["parallel calls"], prior_usage=WIRE_USAGE)

    shown = [
        {"id": "call_1", "type": "function", "function": {"name": "look", "arguments": "{}", "output": None}},
        {"id": "call_2", "type": "function", "function": {"name": "look", "arguments": '{"a": 2}', "output": None}},
    ]
    assert left.run["status"] == "requires_action"
    assert left.run["expires_at"] == 1600
    assert left.run["usage"] is None
    assert left.steps == [step("step_1", {"type": "tool_calls", "tool_calls": shown})]
    assert left.turn.usage == WIRE_USAGE
    assert left.entries == [
        Entry(item=call(1), run_id="run_1"),
        Entry(item=call(2, arguments='{"a": 2}'), run_id="run_1"),
    ]


def test_the_run_is_charged_for_its_earlier_turns_too() -> None:
    left = outcome(STREAMS["text"], prior_usage=WIRE_USAGE)

    assert left.run["usage"] == usage_sum(WIRE_USAGE, WIRE_USAGE)
    assert left.steps[0]["usage"] == WIRE_USAGE


MESSAGE = ["run.step.created", "run.step.in_progress", "message.created", "message.in_progress", "message.delta"]
CLOSED = ["message.completed", "run.step.completed"]
CALL = ["run.step.created", "run.step.in_progress", "run.step.delta", "run.step.delta"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("two messages", [*MESSAGE, *CLOSED, *MESSAGE, "message.delta", *CLOSED, "run.completed"]),
        ("text, then call", [*MESSAGE, "message.delta", *CLOSED, *CALL, "run.requires_action"]),
        ("call, then text", [*CALL, *MESSAGE, *CLOSED, "run.requires_action"]),
        ("reasoning, then call", [*CALL, "run.requires_action"]),
        ("search, then text", [*MESSAGE, *CLOSED, "run.completed"]),
        ("empty message", [*MESSAGE, *CLOSED, "run.completed"]),
        ("only reasoning", ["run.completed"]),
        ("incomplete text", [*MESSAGE, "message.incomplete", "run.step.completed", "run.incomplete"]),
        ("incomplete after text", [*MESSAGE, *CLOSED, "run.incomplete"]),
        ("incomplete call", [*MESSAGE, *CLOSED, *CALL, "run.step.completed", "run.incomplete"]),
        ("failed", [*MESSAGE, "message.incomplete", "run.step.failed", "run.failed"]),
        ("error", ["run.step.created", "run.step.in_progress", "run.step.delta", "run.step.failed", "run.failed"]),
        ("message never added", [*MESSAGE, "message.delta", *CLOSED, "run.completed"]),
        ("message only done", [*MESSAGE, *CLOSED, "run.completed"]),
        ("message never done", [*MESSAGE, "message.delta", *CLOSED, "run.completed"]),
        ("call never added", [*CALL, "run.requires_action"]),
        ("call never done", [*CALL, "run.step.delta", "run.requires_action"]),
        ("nothing streamed", [*MESSAGE, *CLOSED, *CALL, "run.step.delta", "run.step.delta", "run.requires_action"]),
    ],
)
def test_the_events_of_every_kind_of_stream(kind: str, expected: list[str]) -> None:
    assert names(STREAMS[kind]) == expected


def test_the_last_message_is_completed_only_when_the_response_is() -> None:
    turn = translator()
    stream = STREAMS["text"]

    before = [event.name for event in fed(stream[:-1], turn)]
    after = [event.name for event in turn.translate(stream[-1])]

    assert "thread.message.completed" not in before
    assert after == ["thread.message.completed", "thread.run.step.completed", "thread.run.completed"]


@pytest.mark.parametrize(
    ("kind", "usages"),
    [
        ("two messages", [NO_USAGE, WIRE_USAGE]),
        ("text, then call", [NO_USAGE, None]),
        ("call, then text", [NO_USAGE, None]),
        ("incomplete call", [NO_USAGE, WIRE_USAGE]),
        ("call, then incomplete text", [NO_USAGE, WIRE_USAGE]),
    ],
)
def test_the_last_step_of_a_turn_bears_its_usage(kind: str, usages: list[Any | None]) -> None:
    assert [step["usage"] for step in outcome(STREAMS[kind]).steps] == usages


def test_all_calls_of_a_turn_are_asked_for_even_around_a_message() -> None:
    left = outcome(STREAMS["call, text, call"])

    asked = left.run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert [entry["id"] for entry in asked] == ["call_1", "call_2"]
    assert [step["type"] for step in left.steps] == ["message_creation", "tool_calls"]


@pytest.mark.parametrize(
    ("kind", "run_reason", "message_reason"),
    [
        ("incomplete text", {"reason": "max_completion_tokens"}, {"reason": "max_tokens"}),
        ("incomplete after text", {"reason": "max_completion_tokens"}, None),
        ("incomplete by its own word", {"reason": "max_completion_tokens"}, None),
        ("filtered", None, {"reason": "content_filter"}),
    ],
)
def test_an_incomplete_response_says_why(kind: str, run_reason: Any | None, message_reason: Any | None) -> None:
    turn = translator()

    message, step, run = (event.data for event in fed(STREAMS[kind], turn)[-3:])

    assert message["incomplete_details"] == message_reason
    assert (step["status"], step["usage"]) == ("completed", WIRE_USAGE)
    assert (run["status"], run["incomplete_details"], run["completed_at"]) == ("incomplete", run_reason, 1005)


def test_an_unfinished_call_is_shown_but_neither_asked_for_nor_kept() -> None:
    left = outcome(STREAMS["incomplete call"])

    assert left.run["required_action"] is None
    assert left.steps[1]["step_details"]["tool_calls"][0]["function"]["arguments"] == '{"ci'
    assert [entry.message is not None for entry in left.entries] == [True]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": "rate_limit_exceeded", "message": "Slow."}, {"code": "rate_limit_exceeded", "message": "Slow."}),
        ({"code": "insufficient_quota", "message": "Pay."}, {"code": "rate_limit_exceeded", "message": "Pay."}),
        ({"code": "invalid_image_url", "message": "No."}, {"code": "invalid_prompt", "message": "No."}),
        ({"code": "vector_store_timeout", "message": "Late."}, {"code": "server_error", "message": "Late."}),
        ({"code": None}, {"code": "server_error", "message": "Sorry, something went wrong."}),
        (None, {"code": "server_error", "message": "Sorry, something went wrong."}),
        ("boom", {"code": "server_error", "message": "boom"}),
    ],
)
def test_a_failed_response_becomes_last_error(error: Any, expected: Any) -> None:
    left = outcome([*created_events(), final_event([], status="failed", error=error)])

    assert left.run["last_error"] == expected


@pytest.mark.parametrize(
    "event",
    [
        {"type": "error", "error": {"code": "rate_limit_exceeded", "message": "Slow."}},
        {"type": "error", "code": "rate_limit_exceeded", "message": "Slow.", "param": None},
    ],
)
def test_both_shapes_of_an_error_event_are_understood(event: Any) -> None:
    left = outcome([*created_events(), event])

    assert left.run["last_error"] == {"code": "rate_limit_exceeded", "message": "Slow."}


def test_a_step_knows_fewer_error_codes_than_its_run() -> None:
    error = {"code": "invalid_prompt", "message": "No."}

    left = outcome([*created_events(), item_added(0, message()), final_event([], status="failed", error=error)])

    assert left.run["last_error"] == error
    assert left.steps[0]["last_error"] == {"code": "server_error", "message": "No."}


def test_a_response_cancelled_upstream_fails_the_run() -> None:
    left = outcome([*created_events(), final_event([], status="cancelled")])

    assert left.run["last_error"]["message"] == "The upstream service cancelled the response."


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": None}, {"input_tokens_details": None}])
def test_unknown_usage_counts_zero(usage: Any | None) -> None:
    left = outcome([*created_events(), *message_stream(0, "Hi"), final_event([], usage=usage)])

    assert left.run["usage"] == NO_USAGE


def test_the_finished_item_completes_what_was_streamed() -> None:
    item = message(output_text("Hello you"))

    left = outcome(
        [*created_events(), item_added(0, item), text_delta(0, "Hello"), item_done(0, item), final_event([item])]
    )

    assert texts(left.entries) == ["Hello you"]
    assert left.entries[0].item == item


def test_what_was_streamed_stands_against_the_finished_item_which_is_then_not_replayed() -> None:
    item = message(output_text("Goodbye"))

    left = outcome(
        [*created_events(), item_added(0, item), text_delta(0, "Hello"), item_done(0, item), final_event([item])]
    )

    assert texts(left.entries) == ["Hello"]
    assert left.entries[0].item is None


def test_the_arguments_the_client_saw_are_the_ones_that_are_replayed() -> None:
    item = call(arguments='{"a": 2}')

    left = outcome(
        [*created_events(), item_added(0, item), arguments_delta(0, '{"a":1}'), item_done(0, item), final_event([item])]
    )

    asked = left.run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert asked[0]["function"]["arguments"] == '{"a":1}'
    assert left.entries[0].item == {**item, "arguments": '{"a":1}'}


@pytest.mark.parametrize("written", ["", " \n"])
@pytest.mark.parametrize("last", ["done", "final", "neither"])
def test_a_call_without_arguments_has_an_empty_object(written: str, last: str) -> None:
    item = call(arguments=written)
    deltas = [arguments_delta(0, written)] if written else []
    done = [item_done(0, item)] if last == "done" else []
    final = final_event([] if last == "neither" else [item])

    turn = translator()
    sent = fed([*created_events(), item_added(0, {**item, "arguments": ""}), *deltas, *done, final], turn)

    left = outcome_of(turn)

    [asked] = left.run["required_action"]["submit_tool_outputs"]["tool_calls"]
    [shown] = left.steps[0]["step_details"]["tool_calls"]
    streamed = [
        each["function"]["arguments"]
        for event in sent
        if event.name == "thread.run.step.delta"
        for each in cast("Any", event.data)["delta"]["step_details"]["tool_calls"]
    ]
    assert asked["function"]["arguments"] == shown["function"]["arguments"] == "".join(streamed)
    assert json.loads("".join(streamed)) == {}
    assert json.loads(left.entries[0].item["arguments"]) == {}


def test_a_call_waits_until_it_has_a_name() -> None:
    item = call(arguments='{"a": 2}')
    nameless = {**item_added(0, item), "item": {**item, "name": "", "arguments": ""}}

    left = outcome(
        [*created_events(), nameless, arguments_delta(0, '{"a": 2}'), item_done(0, item), final_event([item])]
    )

    asked = left.run["required_action"]["submit_tool_outputs"]["tool_calls"]
    assert asked == [{"id": "call_1", "type": "function", "function": {"name": "look", "arguments": '{"a": 2}'}}]


@pytest.mark.parametrize("item", [{}, {"id": "x"}, {"type": "function_call", "name": "look", "arguments": "{}"}])
def test_an_item_nobody_can_use_is_dropped(item: Any) -> None:
    left = outcome([*created_events(), item_done(0, item), final_event([item])])

    assert left.entries == []
    assert left.run["status"] == "completed"


def test_a_call_id_is_shown_as_it_is_and_never_the_items_id() -> None:
    item = {**call(), "call_id": "toolu_9"}

    left = outcome([*created_events(), item_added(0, item), item_done(0, item), final_event([item])])

    assert left.run["required_action"]["submit_tool_outputs"]["tool_calls"][0]["id"] == "toolu_9"


def test_events_without_numbers_and_ids_are_understood() -> None:
    stream = [
        {name: value for name, value in event.items() if name not in ("output_index", "item_id", "sequence_number")}
        for event in response_stream(message_stream(0, "One"), message_stream(1, "Two", id="msg_up2"))
    ]

    left = outcome(stream)

    assert texts(left.entries) == ["One", "Two"]


def test_items_that_all_bear_the_number_zero_are_told_apart() -> None:
    output = [message(output_text("One")), call(1), call(2)]
    stream = [
        *created_events(),
        *message_stream(0, "One"),
        item_added(0, call(1)),
        arguments_delta(0, "{}", number=1),
        item_done(0, call(1)),
        item_added(0, call(2)),
        arguments_delta(0, "{}", number=2),
        item_done(0, call(2)),
        final_event(output),
    ]

    left = outcome(stream)

    assert texts(left.entries) == ["One"]
    assert [step["type"] for step in left.steps] == ["message_creation", "tool_calls"]
    assert len(left.run["required_action"]["submit_tool_outputs"]["tool_calls"]) == 2


def test_ids_that_change_with_every_event_do_not_double_a_message() -> None:
    stream = [
        *created_events(),
        item_added(0, message(id="a")),
        text_delta(0, "Hello", id="b"),
        item_done(0, message(output_text("Hello"), id="c")),
        final_event([message(output_text("Hello"), id="d")]),
    ]

    left = outcome(stream)

    assert texts(left.entries) == ["Hello"]


def test_a_message_streamed_under_a_wrong_number_is_not_shown_twice() -> None:
    output = [reasoning(), message(output_text("Hello"), id="other")]

    left = outcome([*created_events(), *message_stream(0, "Hello"), final_event(output)])

    assert texts(left.entries) == ["Hello"]
    assert [bool(entry.message) for entry in left.entries] == [False, True]


def test_parts_are_shown_without_gaps_however_they_are_numbered() -> None:
    item = message(output_text("One"), output_text("Two"))
    stream = [
        *created_events(),
        item_added(0, item),
        text_delta(0, "One", part=1),
        text_delta(0, "Two", part=4),
        item_done(0, item),
        final_event([item]),
    ]

    left = outcome(stream)

    assert texts(left.entries) == ["One", "Two"]
    assert left.entries[0].item == item


def test_words_that_come_after_their_message_was_closed_are_not_lost() -> None:
    item = message(output_text("Hello you"))
    stream = [
        *created_events(),
        item_added(0, item),
        text_delta(0, "Hello"),
        item_added(1, call()),
        text_delta(0, " you"),
    ]

    left = outcome([*stream, item_done(0, item), item_done(1, call()), final_event([item, call()])])

    assert texts(left.entries) == ["Hello", " you"]
    assert left.run["status"] == "requires_action"


def test_an_item_finished_after_its_message_was_closed_adds_no_event() -> None:
    item = message(output_text("Hello"))
    turn = translator()
    fed([*created_events(), item_added(0, item), text_delta(0, "Hello"), item_added(1, call())], turn)

    late = turn.translate(item_done(0, item))

    assert late == []


def test_entries_come_in_the_order_of_the_output_even_if_some_were_not_streamed() -> None:
    left = outcome([*created_events(), item_added(1, call()), item_done(1, call()), final_event([reasoning(), call()])])

    assert [entry.item and entry.item["type"] for entry in left.entries] == ["reasoning", "function_call"]


def test_items_of_hosted_tools_are_kept_and_not_shown() -> None:
    left = outcome(STREAMS["search, then text"])

    assert [entry.item and entry.item["type"] for entry in left.entries] == ["web_search_call", "message"]
    assert len(left.steps) == 1


def test_refusals_are_parts_of_their_own() -> None:
    left = outcome(STREAMS["text and refusal"])

    assert left.entries[0].message is not None
    assert left.entries[0].message["content"] == [said_part("Well"), {"type": "refusal", "refusal": "no"}]


def test_the_usage_of_a_response_is_renamed_with_its_details() -> None:
    left = outcome([*created_events(), final_event([], usage=USAGE)])

    assert left.turn.usage == WIRE_USAGE


def test_the_request_id_may_become_known_after_the_start() -> None:
    turn = translator()
    turn.request_id = "req_1"

    fed(STREAMS["text"], turn)

    assert outcome_of(turn).turn.request_id == "req_1"


def test_event_types_nobody_knows_are_skipped() -> None:
    turn = translator()

    events = fed([{"type": "response.something_new"}, {}, {"type": "response.output_item.added"}], turn)

    assert events == []
    assert turn.outcome is None
