"""A stream may break anywhere: whatever was open is closed, once, in order, and the turn has an outcome."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest

from tests.bridge.translation.event_order import check_turn
from tests.bridge.translation.upstream_events import NO_USAGE, STREAMS, WIRE_USAGE, translator
from threadbridge.errors import TranslationError
from threadbridge.ports import Event
from threadbridge.translation.stream_translator import TurnInterruption, TurnTranslator
from threadbridge.translation.wire_objects import add_usage

ENDINGS = {
    "failed": TurnInterruption("failed", {"code": "rate_limit_exceeded", "message": "Slow down."}),
    "cancelled": TurnInterruption("cancelled"),
    "expired": TurnInterruption("expired"),
}

#: Every position before the event that ends the turn: (kind of stream, events fed before the break).
BREAKS = [
    pytest.param(kind, at, id=f"{kind} at {at}")
    for kind, stream in STREAMS.items()
    for at in range(next(n for n, event in enumerate(stream) if event["type"] in ("error", stream[-1]["type"])) + 1)
]


def fed(turn: TurnTranslator, stream: list[Any]) -> list[Event]:
    return [event for upstream in stream for event in turn.translate(upstream)]


def outcome_of(turn: TurnTranslator) -> Any:
    """Any: the tests know the shapes of the objects."""
    assert turn.outcome is not None
    return turn.outcome


@pytest.mark.parametrize("status", ENDINGS)
@pytest.mark.parametrize(("kind", "at"), BREAKS)
def test_a_turn_that_is_interrupted_anywhere_ends_with_everything_closed(kind: str, at: int, status: str) -> None:
    turn = translator(prior_usage=WIRE_USAGE)
    before = fed(turn, STREAMS[kind][:at])

    after = turn.interrupt(ENDINGS[status])

    judge = check_turn([*before, *after])
    outcome = outcome_of(turn)
    assert after[-1].name == f"thread.run.{status}"
    assert outcome.run["status"] == status
    assert outcome.run["expires_at"] is None
    assert outcome.run["usage"] == add_usage(WIRE_USAGE, outcome.turn.usage)
    assert sorted(step["id"] for step in outcome.steps) == sorted(judge.steps)
    assert all(step["expires_at"] is None for step in outcome.steps)
    assert [entry.message["content"] for entry in outcome.entries if entry.message] == list(
        judge.parts_by_message.values()
    )
    assert all(entry.message is not None for entry in outcome.entries)


@pytest.mark.parametrize(("kind", "at"), BREAKS)
def test_a_stream_that_stops_anywhere_fails_the_run_with_a_server_error(kind: str, at: int) -> None:
    turn = translator()
    before = fed(turn, STREAMS[kind][:at])

    after = turn.finish_stream()

    check_turn([*before, *after])
    assert outcome_of(turn).run["status"] == "failed"
    assert outcome_of(turn).run["last_error"]["code"] == "server_error"


@pytest.mark.parametrize("kind", STREAMS)
def test_every_kind_of_stream_ends_in_legal_order_with_its_usage_accounted_for(kind: str) -> None:
    turn = translator()

    events = fed(turn, STREAMS[kind])

    judge = check_turn(events)
    outcome = outcome_of(turn)
    assert {step["id"]: step["status"] for step in outcome.steps} == {
        step["id"]: step["status"] for step in judge.steps.values()
    }
    total = NO_USAGE
    for step in outcome.steps or [{"usage": outcome.turn.usage}]:
        total = add_usage(total, step["usage"])
    waiting = {"requires_action": (NO_USAGE, None)}
    assert (total, outcome.run["usage"]) == waiting.get(outcome.run["status"], (outcome.turn.usage,) * 2)


@pytest.mark.parametrize("kind", STREAMS)
def test_what_was_returned_is_never_changed_later(kind: str) -> None:
    turn = translator()
    returned: list[Event] = []
    pictures: list[str] = []

    for upstream in STREAMS[kind]:
        events = turn.translate(upstream)
        returned += events
        pictures += [repr(event) for event in events]

    assert [repr(event) for event in returned] == pictures


@pytest.mark.parametrize("kind", STREAMS)
def test_the_end_of_the_stream_adds_nothing_to_a_turn_that_is_over(kind: str) -> None:
    turn = translator()
    fed(turn, STREAMS[kind])
    outcome = turn.outcome

    late = [*turn.finish_stream(), *fed(turn, STREAMS[kind])]

    assert late == []
    assert turn.outcome is outcome


def test_a_turn_that_is_over_cannot_be_interrupted() -> None:
    turn = translator()
    fed(turn, STREAMS["text"])

    with pytest.raises(TranslationError, match="run_1 is over"):
        turn.interrupt(TurnInterruption("cancelled"))


def test_a_cancelled_turn_passes_through_cancelling() -> None:
    turn = translator()
    fed(turn, STREAMS["text"][:5])

    names = [event.name for event in turn.interrupt(TurnInterruption("cancelled"))]

    assert names == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]


@pytest.mark.parametrize(
    ("status", "reason", "stamp"),
    [
        ("failed", "run_failed", {"failed_at": 1005, "cancelled_at": None}),
        ("cancelled", "run_cancelled", {"failed_at": None, "cancelled_at": 1005}),
        ("expired", "run_expired", {"failed_at": None, "cancelled_at": None}),
    ],
)
def test_message_step_and_run_say_why_they_ended(status: str, reason: str, stamp: Any) -> None:
    turn = translator()
    fed(turn, STREAMS["text"][:5])

    message, step, run = (event.data for event in turn.interrupt(ENDINGS[status])[-3:])

    error = ENDINGS[status].last_error
    assert (message["incomplete_details"], message["incomplete_at"]) == ({"reason": reason}, 1005)
    assert {**step, **stamp, "status": status, "last_error": error, "completed_at": None} == step
    assert {**run, **stamp, "status": status, "last_error": error, "completed_at": None} == run


def test_a_message_cut_off_by_a_failure_is_kept_with_what_it_said_and_without_its_item() -> None:
    turn = translator()
    fed(turn, STREAMS["text"][:6])

    turn.interrupt(ENDINGS["failed"])

    [entry] = outcome_of(turn).entries
    assert entry.message is not None
    assert entry.message["content"] == [{"type": "text", "text": {"value": "Hello", "annotations": []}}]
    assert "status" not in entry.message
    assert entry.item is None


def test_a_failure_nobody_explains_has_the_legacy_text() -> None:
    turn = translator()

    turn.interrupt(TurnInterruption("failed"))

    assert outcome_of(turn).run["last_error"] == {"code": "server_error", "message": "Sorry, something went wrong."}


MALFORMED_VALUES: list[object] = [5, "words", [1], {"a": 1}]


def replace_value(event: Any, path: tuple[str, ...], value: object) -> Any:
    head, *rest = path
    return {**event, head: replace_value(event[head], tuple(rest), value) if rest else value}


@pytest.mark.parametrize("value", MALFORMED_VALUES, ids=str)
@pytest.mark.parametrize("kind", STREAMS)
def test_a_turn_ends_whatever_a_value_of_a_wrong_type_broke(kind: str, value: object) -> None:
    for at, event in enumerate(STREAMS[kind]):
        paths: list[tuple[str, ...]] = [(name,) for name in event if name != "type"]
        paths += [(name, inner) for name in event if isinstance(event[name], dict) for inner in event[name]]
        for path in paths:
            turn = translator(prior_usage=WIRE_USAGE)
            fed(turn, STREAMS[kind][:at])
            # The engine fails the run at an event that raises one of these.
            with contextlib.suppress(AttributeError, IndexError, KeyError, TypeError, ValueError):
                turn.translate(replace_value(event, path, value))

            if turn.outcome is None:
                turn.interrupt(ENDINGS["failed"])

            assert outcome_of(turn).run["status"] not in ("queued", "in_progress"), (at, path)
