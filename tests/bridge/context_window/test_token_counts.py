from __future__ import annotations

from typing import Any

import pytest

from threadbridge.context_window.token_counts import bytes_over_four, frame_of, weighed, weight_of
from threadbridge.ports import Entry, Sort, Wire

FRAME = 4


def text(value: str) -> Wire:
    return {"type": "text", "text": {"value": value, "annotations": []}}


def wrote(role: str, *parts: Wire) -> Entry:
    return Entry(message={"id": "msg_1", "role": role, "content": list(parts)})


@pytest.mark.parametrize(
    ("entry", "sort", "tokens"),
    [
        (wrote("user", text("hello"), text("you")), Sort.USER, 8),
        (wrote("assistant", text("hello")), Sort.ASSISTANT, 5),
        (wrote("assistant", {"type": "refusal", "refusal": "no"}), Sort.ASSISTANT, 2),
        (wrote("user", {"type": "image_url", "image_url": {"url": "u", "detail": "low"}}), Sort.USER, 85),
        (wrote("user", {"type": "image_file", "image_file": {"file_id": "f", "detail": "auto"}}), Sort.USER, 765),
        (wrote("user"), Sort.USER, 0),
        (Entry(item={"type": "function_call", "name": "look", "arguments": "{}"}), Sort.EXCHANGE, 6),
        (Entry(item={"type": "function_call_output", "call_id": "c", "output": "sunny"}), Sort.EXCHANGE, 5),
        (Entry(item={"type": "reasoning", "summary": [], "encrypted_content": "x" * 50}), Sort.WITHIN_RUN, 10),
        (Entry(item={"type": "compaction", "encrypted_content": "x" * 50}), Sort.COMPACTION, 10),
    ],
)
def test_an_entry_weighs_its_words_and_a_frame(entry: Entry, sort: Sort, tokens: int) -> None:
    assert weight_of(entry, len) == (sort, FRAME + tokens)


def test_an_item_nobody_knows_weighs_all_of_itself() -> None:
    item = {"type": "web_search_call", "query": "x"}

    assert weight_of(Entry(item=item), lambda words: 1000 if "web_search_call" in words else 0).tokens > 1000


def test_weighed_entries_are_the_same_with_a_weight() -> None:
    entry = wrote("user", text("hello"))

    (after,) = weighed([entry], len)

    assert (after, after.weight) == (entry, (Sort.USER, 9))


@pytest.mark.parametrize(("words", "tokens"), [("", 0), ("a", 1), ("abcd", 1), ("abcde", 2), ("\U0001f600", 1)])
def test_the_estimate_is_a_token_for_every_four_bytes_begun(words: str, tokens: int) -> None:
    assert bytes_over_four(words) == tokens


def test_half_a_surrogate_pair_has_an_estimate() -> None:
    assert bytes_over_four("\ud83d") == 1


def test_every_request_begins_with_instructions_and_functions() -> None:
    look: dict[str, Any] = {"type": "function", "function": {"name": "look"}}

    plain = frame_of({"instructions": "Be brief.", "tools": [{"type": "file_search"}]}, len)
    with_function = frame_of({"instructions": None, "tools": [look]}, len)

    assert (plain, with_function) == (9, len('[{"name":"look"}]'))


def test_what_every_request_begins_with_is_counted_once() -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    tokens = [frame_of({"instructions": "Be brief.", "tools": []}, count) for _ in range(3)]

    assert (tokens, counted) == ([9, 9, 9], ["Be brief."])
