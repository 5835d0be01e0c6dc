"""Whatever order a server sends its events in, what we send is legal and loses no word that was streamed."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.bridge.translation.event_order import check_turn
from tests.bridge.translation.upstream_events import (
    arguments_delta,
    call,
    final_event,
    item_added,
    item_done,
    message,
    output_text,
    reasoning,
    refusal_delta,
    refusal_part,
    text_delta,
    translator,
)
from threadbridge.ports import Event
from threadbridge.translation.stream_translator import TurnInterruption

_INDEXES = st.integers(0, 2)
_WORDS = st.sampled_from(["", "a", "bc", "abc"])
_IDS = st.sampled_from(["msg_up", "msg_up2"])


def _text_message(text: str, item_id: str) -> Any:
    return message(output_text(text), id=item_id)


def _refusal_message(text: str, item_id: str) -> Any:
    return message(refusal_part(text), id=item_id, status=None)


def _call(number: int, words: str) -> Any:
    return call(number, arguments=words)


def _text_delta(index: int, words: str, part: int, item_id: str) -> Any:
    return text_delta(index, words, part=part, id=item_id)


def _refusal_delta(index: int, words: str) -> Any:
    return refusal_delta(index, words, id="other")


def _arguments_delta(index: int, words: str, number: int) -> Any:
    return arguments_delta(index, words, number=number)


def _final_event(output: list[Any], status: str) -> Any:
    return final_event(output, status=status, error=None, incomplete_details=None)


_ITEMS = st.one_of(
    st.builds(_text_message, _WORDS, _IDS),
    st.builds(_refusal_message, _WORDS, _IDS),
    st.builds(_call, _INDEXES, _WORDS),
    st.just(reasoning()),
)
_EVENTS = st.one_of(
    st.builds(item_added, _INDEXES, _ITEMS),
    st.builds(item_done, _INDEXES, _ITEMS),
    st.builds(_text_delta, _INDEXES, _WORDS, _INDEXES, _IDS),
    st.builds(_refusal_delta, _INDEXES, _WORDS),
    st.builds(_arguments_delta, _INDEXES, _WORDS, _INDEXES),
)
_ENDS = st.builds(
    _final_event,
    st.lists(_ITEMS, max_size=3),
    st.sampled_from(["completed", "incomplete", "failed"]),
)


def streamed_words(stream: list[Any]) -> str:
    kinds = ("response.output_text.delta", "response.refusal.delta")
    return "".join(event["delta"] for event in stream if event["type"] in kinds)


def shown_words(events: list[Event]) -> str:
    parts = [event.data["delta"]["content"][0] for event in events if event.name == "thread.message.delta"]
    return "".join(part.get("refusal") or part.get("text", {}).get("value", "") for part in parts)


@given(stream=st.lists(_EVENTS, max_size=12), end=_ENDS)
def test_any_stream_becomes_a_legal_turn(stream: list[Any], end: Any) -> None:
    turn = translator()

    events = [event for upstream in [*stream, end] for event in turn.translate(upstream)]

    judge = check_turn(events)
    assert turn.outcome is not None
    assert sorted(step["id"] for step in turn.outcome.steps) == sorted(judge.steps)
    assert len(turn.outcome.entries) >= len(judge.parts_by_message)


@given(stream=st.lists(_EVENTS, max_size=12))
def test_every_streamed_word_is_shown_and_the_interrupted_turn_is_closed(stream: list[Any]) -> None:
    turn = translator()

    events = [event for upstream in stream for event in turn.translate(upstream)]
    closing = turn.interrupt(TurnInterruption("cancelled"))

    check_turn([*events, *closing])
    shown = iter(shown_words(events))
    assert all(letter in shown for letter in streamed_words(stream))  # in this order, finished items may add more
