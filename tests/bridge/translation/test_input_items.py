from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.translation.recorded_streams import list_request_items, needs_recordings
from tests.bridge.translation.upstream_events import (
    RUN,
    call,
    code,
    message,
    output_text,
    reasoning,
    refusal_part,
    search,
)
from threadbridge.ports import Entry
from threadbridge.translation.input_items import build_input_items, strip_to_model_input


def text(value: str) -> Any:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def image_url(**fields: Any) -> Any:
    return {"type": "image_url", "image_url": {"url": "https://example.org/cat.png", **fields}}


def image_file(**fields: Any) -> Any:
    return {"type": "image_file", "image_file": {"file_id": "file-1", **fields}}


def wrote(role: str, *parts: Any, item: Any | None = None, run_id: str | None = None) -> Entry:
    message: Any = {"id": "msg_1", "role": role, "content": list(parts)}
    return Entry(message=message, item=item, run_id=run_id)


def output(number: int = 1) -> Any:
    return {"type": "function_call_output", "call_id": f"call_{number}", "output": "sunny"}


def of_run(run_id: str, *items: Any) -> list[Entry]:
    return [Entry(item=item, run_id=run_id) for item in items]


CALL: Any = {"type": "function_call", "call_id": "call_1", "name": "look", "arguments": "{}"}
REASONING: Any = {"type": "reasoning", "summary": [], "encrypted_content": "secret 1"}
ASK = wrote("user", text("Hi"))
ASKED: Any = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
SAID = message(output_text("Hello"))
SENT: Any = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (text("Hi"), {"type": "input_text", "text": "Hi"}),
        (
            image_url(),
            {"type": "input_image", "image_url": "https://example.org/cat.png", "detail": "auto"},
        ),
        (
            image_url(detail="low"),
            {"type": "input_image", "image_url": "https://example.org/cat.png", "detail": "low"},
        ),
        (image_file(detail=None), {"type": "input_image", "file_id": "file-1", "detail": "auto"}),
        (image_file(detail="high"), {"type": "input_image", "file_id": "file-1", "detail": "high"}),
    ],
)
def test_a_users_parts_become_input_parts(part: Any, sent: Any) -> None:
    assert build_input_items(RUN, [wrote("user", part)]) == [{"type": "message", "role": "user", "content": [sent]}]


@pytest.mark.parametrize(
    ("part", "sent"),
    [
        (text("Hi"), {"type": "output_text", "text": "Hi"}),
        ({"type": "refusal", "refusal": "No."}, {"type": "refusal", "refusal": "No."}),
        (image_file(), {"type": "output_text", "text": "[image file-1]"}),
        (image_url(), {"type": "output_text", "text": "[image https://example.org/cat.png]"}),
    ],
)
def test_an_assistants_parts_become_output_parts_and_images_a_note(part: Any, sent: Any) -> None:
    assert build_input_items(RUN, [wrote("assistant", part)]) == [
        {"type": "message", "role": "assistant", "content": [sent]}
    ]


def test_parts_keep_their_order() -> None:
    items: list[Any] = [*build_input_items(RUN, [wrote("user", text("Look:"), image_file(), text("Well?"))])]

    assert [part["type"] for part in items[0]["content"]] == ["input_text", "input_image", "input_text"]


@pytest.mark.parametrize(("role", "kind"), [("user", "input_text"), ("assistant", "output_text")])
def test_a_message_without_content_has_one_empty_part(role: str, kind: str) -> None:
    assert build_input_items(RUN, [wrote(role)]) == [
        {"type": "message", "role": role, "content": [{"type": kind, "text": ""}]}
    ]


def test_an_empty_thread_is_one_empty_message() -> None:
    empty = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": ""}]}

    assert build_input_items(RUN, []) == [empty]


def test_the_items_of_this_run_are_replayed_without_ids_with_reasoning_before_its_call() -> None:
    timeline = [ASK, *of_run("run_1", reasoning(), call(), output())]

    assert build_input_items(RUN, timeline) == [ASKED, REASONING, CALL, output()]


def test_of_earlier_runs_calls_with_outputs_are_replayed_and_reasoning_is_not() -> None:
    earlier = of_run("run_0", reasoning(), call(), {**output(), "id": "fco_1", "status": "completed"})
    answer = wrote("assistant", text("Hello"), item=SAID, run_id="run_0")

    assert build_input_items(RUN, [ASK, *earlier, answer, ASK]) == [ASKED, CALL, output(), SENT, ASKED]


def test_a_call_nobody_answered_is_dropped_with_the_reasoning_that_led_to_it() -> None:
    timeline = [ASK, *of_run("run_1", reasoning(), call(1)), ASK]

    assert build_input_items(RUN, timeline) == [ASKED, ASKED]


def test_reasoning_is_not_sent_on_to_what_came_after_the_call_that_nobody_answered() -> None:
    timeline = [ASK, *of_run("run_1", reasoning(), call(1), reasoning(2), call(2), output(2))]

    items = build_input_items(RUN, timeline)

    assert [item.get("encrypted_content", item["type"]) for item in items] == [
        "message",
        "secret 2",
        "function_call",
        "function_call_output",
    ]


def test_an_output_whose_call_was_cut_off_is_dropped() -> None:
    assert build_input_items(RUN, [*of_run("run_0", output()), ASK]) == [ASKED]


def test_call_ids_that_two_runs_share_are_told_apart() -> None:
    timeline = [*of_run("run_0", call()), ASK, *of_run("run_1", call(), output())]

    assert build_input_items(RUN, timeline) == [ASKED, CALL, output()]


def test_parallel_calls_stay_together_behind_their_reasoning() -> None:
    timeline = [ASK, *of_run("run_1", reasoning(), call(1), call(2), output(1), output(2))]

    assert [item.get("call_id", item["type"]) for item in build_input_items(RUN, timeline)] == [
        "message",
        "reasoning",
        "call_1",
        "call_2",
        "call_1",
        "call_2",
    ]


@pytest.mark.parametrize("encrypted", [None, ""])
def test_reasoning_that_is_not_encrypted_cannot_be_replayed(encrypted: str | None) -> None:
    bare = {**reasoning(), "encrypted_content": encrypted}

    assert build_input_items(RUN, [ASK, *of_run("run_1", bare, call(), output())]) == [ASKED, CALL, output()]


def test_reasoning_keeps_its_summary_and_loses_its_content() -> None:
    full = {**reasoning(), "summary": [{"type": "summary_text", "text": "Hm."}], "content": [], "status": None}

    items = build_input_items(RUN, [ASK, *of_run("run_1", full, call(), output())])

    assert items[1] == {**REASONING, "summary": [{"type": "summary_text", "text": "Hm."}]}


def test_a_message_of_a_run_is_replayed_word_for_word_with_its_phase() -> None:
    item = {**message(output_text("Hello"), refusal_part("No.")), "phase": "final_answer"}

    [sent] = build_input_items(RUN, [wrote("assistant", text("Hello"), item=item, run_id="run_0")])

    content = [*SENT["content"], {"type": "refusal", "refusal": "No."}]
    assert sent == {**SENT, "content": content, "phase": "final_answer"}


def test_a_message_of_a_run_whose_item_was_not_kept_is_replayed_from_its_content() -> None:
    assert build_input_items(RUN, [wrote("assistant", text("Hello"), run_id="run_0")]) == [SENT]


def test_fields_of_a_call_nobody_here_knows_are_sent_back() -> None:
    spaced = {**call(), "namespace": "weather", "created_by": "agent", "caller": None}

    [sent, _] = build_input_items(RUN, of_run("run_1", spaced, output()))

    assert sent == {**CALL, "namespace": "weather"}


def test_stored_arguments_that_are_empty_are_sent_as_an_empty_object() -> None:
    timeline = of_run("run_0", {**call(), "arguments": ""}, output())

    assert build_input_items(RUN, timeline) == [CALL, output()]


def test_a_hosted_tools_item_belongs_to_its_own_run_only() -> None:
    assert build_input_items(RUN, [ASK, *of_run("run_1", search())]) == [ASKED, search()]
    assert build_input_items(RUN, [ASK, *of_run("run_0", search())]) == [ASKED]


def test_code_that_ran_in_another_container_is_not_told_of_nor_the_reasoning_that_led_to_it() -> None:
    timeline = [ASK, *of_run("run_1", reasoning(), code("1"), reasoning(2), call(), output())]

    here = build_input_items(RUN, timeline, container_id="cntr_1")
    elsewhere = build_input_items(RUN, timeline, container_id="cntr_2")

    assert [item["type"] for item in here[1:3]] == ["reasoning", "code_interpreter_call"]
    assert here[3:] == elsewhere[1:]
    assert [item["type"] for item in elsewhere] == ["message", "reasoning", "function_call", "function_call_output"]


def test_entries_without_what_nobody_is_told_make_the_same_items() -> None:
    said = wrote("assistant", text("Hello【4:0†a.txt】"), image_file())
    answer = wrote("assistant", text("Hello"), item=SAID, run_id="run_0")
    timeline = [wrote("user", text("Hi"), image_url()), said, *of_run("run_1", reasoning(), call(), output()), answer]

    told = [strip_to_model_input(entry) for entry in timeline]

    assert build_input_items(RUN, told) == build_input_items(RUN, timeline)
    assert [entry.message for entry in told] == [None] * len(timeline)


@needs_recordings
def test_items_have_keys_the_real_service_accepted() -> None:
    timeline = [
        wrote("user", text("Hi"), image_file(detail="low")),
        wrote("assistant", text("Hello"), item=SAID, run_id="run_0"),
        *of_run("run_1", reasoning(), call(), output()),
    ]

    accepted = {(item.get("type", "message"), item.get("role"), frozenset(item)) for item in list_request_items()}
    parts = {
        (part.get("type"), frozenset(part))
        for item in list_request_items()
        if isinstance(item.get("content"), list)
        for part in item["content"]
    }
    items: list[Any] = [*build_input_items(RUN, timeline)]
    assert {(item["type"], item.get("role"), frozenset(item)) for item in items} <= accepted
    assert {(part["type"], frozenset(part)) for item in items for part in item.get("content", ())} <= parts
