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

_ITEMS = st.one_of(
    st.builds(lambda text, id: message(output_text(text), id=id), _WORDS, _IDS),
    st.builds(lambda text, id: message(refusal_part(text), id=id, status=None), _WORDS, _IDS),
    st.builds(lambda number, words: call(number, arguments=words), _INDEXES, _WORDS),
    st.just(reasoning()),
)
_EVENTS = st.one_of(
    st.builds(item_added, _INDEXES, _ITEMS),
    st.builds(item_done, _INDEXES, _ITEMS),
    st.builds(
        lambda index, words, part, id: text_delta(index, words, part=part, id=id), _INDEXES, _WORDS, _INDEXES, _IDS
    ),
    st.builds(lambda index, words: refusal_delta(index, words, id="other"), _INDEXES, _WORDS),
    st.builds(lambda index, words, number: arguments_delta(index, words, number=number), _INDEXES, _WORDS, _INDEXES),
)
_ENDS = st.builds(
    lambda output, status: final_event(output, status=status, error=None, incomplete_details=None),
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
