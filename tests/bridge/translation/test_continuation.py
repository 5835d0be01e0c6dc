"""When a turn may go on from what the service keeps: only where that and what is sent are what the model is to know."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from threadbridge.ports import Entry
from threadbridge.translation.continuation import (
    Continuation,
    ContinuationPoint,
    ContinuationRules,
    NoContinuationReason,
    RequiredContext,
    Spans,
    build_state_report,
    compute_later_spans,
    find_mismatch,
    has_unanswered_calls,
)

DAY = 86_400
RULES = ContinuationRules("chained", "api.openai.com/v1", stored_response_days=30)
ANCHOR = ContinuationPoint(
    mode="chained",
    upstream_id="resp_1",
    service=RULES.service,
    model="gpt-4o",
    spans=((1, 2), (5, 9)),
    edits=1,
    run_id="run_1",
    calls=(),
    at=1000,
)
WANTED = RequiredContext(spans=((1, 2), (5, 12)), edits=1, model="gpt-4o", at=1000 + 29 * DAY)


def test_a_turn_that_shows_more_of_the_same_goes_on() -> None:
    assert find_mismatch(ANCHOR, WANTED, RULES) is None
    assert compute_later_spans(ANCHOR, WANTED.spans) == ((10, 12),)


def test_a_turn_with_nothing_new_goes_on_with_nothing() -> None:
    assert find_mismatch(ANCHOR, replace(WANTED, spans=ANCHOR.spans), RULES) is None
    assert compute_later_spans(ANCHOR, ANCHOR.spans) == ()


@pytest.mark.parametrize(
    ("anchor", "wanted", "rules", "reason"),
    [
        ({"mode": "conversation"}, {}, {}, "setting_changed"),
        ({"service": "elsewhere"}, {}, {}, "service_changed"),
        ({}, {"model": "gpt-6-luna"}, {}, "model_changed"),
        ({"in_use": True}, {}, {}, "turn_lost"),
        ({}, {"at": 1000 + 30 * DAY}, {}, "too_old"),
        ({}, {}, {"stored_response_days": 7}, "too_old"),
        ({}, {"edits": 2}, {}, "thread_changed"),
        ({}, {"spans": ((1, 2), (6, 12))}, {}, "truncated"),
        ({}, {"spans": ((5, 12),)}, {}, "truncated"),
        ({}, {"spans": ((1, 3), (5, 12))}, {}, "truncated"),
        ({}, {"spans": ((1, 2), (5, 8))}, {}, "truncated"),
        ({}, {"spans": ()}, {}, "truncated"),
        ({"spans": ()}, {}, {}, "truncated"),
    ],
)
def test_anything_else_is_sent_whole_and_says_why(
    anchor: dict[str, Any], wanted: dict[str, Any], rules: dict[str, Any], reason: NoContinuationReason
) -> None:
    assert find_mismatch(replace(ANCHOR, **anchor), replace(WANTED, **wanted), replace(RULES, **rules)) == reason


def test_where_nothing_is_kept_everything_is_sent() -> None:
    assert find_mismatch(None, WANTED, RULES) == "nothing_kept"


def test_a_conversation_is_kept_for_as_long_as_it_is_there() -> None:
    old = replace(WANTED, at=1000 + 400 * DAY)

    assert find_mismatch(replace(ANCHOR, mode="conversation"), old, replace(RULES, mode="conversation")) is None


def output(call_id: str, run_id: str = "run_1") -> Entry:
    return Entry(item={"type": "function_call_output", "call_id": call_id, "output": "x"}, run_id=run_id)


@pytest.mark.parametrize(
    ("later", "is_open"),
    [
        ([output("call_1"), output("call_2")], False),
        ([output("call_2"), Entry(item={"type": "message", "role": "user", "content": []}), output("call_1")], False),
        ([output("call_1")], True),
        ([], True),
        ([output("call_1", "run_2"), output("call_2", "run_2")], True),
    ],
)
def test_calls_are_open_until_all_of_them_are_answered_within_their_run(later: list[Entry], *, is_open: bool) -> None:
    assert has_unanswered_calls(replace(ANCHOR, calls=("call_1", "call_2")), later) is is_open


def test_an_anchor_comes_back_from_its_row_as_it_was() -> None:
    anchor = replace(ANCHOR, calls=("call_1",), in_use=True)

    assert ContinuationPoint.from_row({**anchor.to_row("thread_1"), "a_later_version_says": 1}) == anchor


def test_a_request_says_what_it_goes_on_from_and_nothing_of_what_it_does_not() -> None:
    chained = Continuation("chained", WANTED, ANCHOR)
    told = Continuation("conversation", WANTED, reason="nothing_kept", conversation_id="conv_1")

    assert chained.request_params == {"store": True, "previous_response_id": "resp_1"}
    assert chained.fall_back("not_found").request_params == {"store": True}
    assert told.request_params == {"store": True, "conversation": "conv_1"}
    assert told.fall_back("locked", mode="local").request_params == {"store": False}
    assert build_state_report(chained.fall_back("not_found")) == {
        "mode": "chained",
        "continues": None,
        "reason": "not_found",
    }


# -- Whatever happens to a thread ------------------------------------------------------------------------------------


@dataclass
class Model:
    """A thread, and a service that remembers with every response all that led to it."""

    #: What is said at each position; a message that is deleted is gone.
    thread: dict[int, str] = field(default_factory=dict[int, str])
    kept: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    anchor: ContinuationPoint | None = None
    edits: int = 0
    position: int = 0
    now: int = 1000
    model: str = "a"
    open: tuple[str, ...] = ()
    responses: int = 0
    runs: int = 0
    #: What the model knew in each turn, and what it was to know.
    turns: list[tuple[list[str], list[str]]] = field(default_factory=list[tuple[list[str], list[str]]])

    def do(self, operation: Any) -> None:
        match operation:
            case ("say", int(times)):
                for number in range(times):
                    self.say(f"message m{self.position}_{number} -")
            case ("run", int(newest), int(calls), bool(completes)):
                self.runs += 1
                self.turn(newest, calls, completes=completes)
            case ("answer", bool(completes)):
                for call in self.open:
                    self.say(f"output {call} run_{self.runs}")
                self.open = ()
                self.turn(1000, 0, completes=completes)
            case ("delete", int(number)):
                self.delete(number)
            case ("wait", int(days)):
                self.now += days * DAY
            case _:
                self.model = operation[1]

    def say(self, text: str) -> None:
        self.position += 1
        self.thread[self.position] = text

    def delete(self, number: int) -> None:
        messages = [position for position, text in self.thread.items() if text.startswith("message")]
        if messages:
            del self.thread[messages[number % len(messages)]]
            self.edits += 1

    def spans(self, newest: int) -> Spans:
        """The whole thread, or what begins so many entries before its end."""
        shown = list(self.thread)[-newest:]
        return ((shown[0], shown[-1]),) if shown else ()

    def words(self, spans: Spans) -> list[str]:
        return [text for at, text in self.thread.items() if any(first <= at <= last for first, last in spans)]

    def entries(self, spans: Spans) -> list[Entry]:
        told = [text.split() for text in self.words(spans)]
        return [
            output(words[1], words[2])
            if words[0] == "output"
            else Entry(item=cast(Any, {"type": words[0], "call_id": words[1]}), run_id=words[2])
            for words in told
        ]

    def turn(self, newest: int, calls: int, *, completes: bool) -> None:
        wanted = RequiredContext(self.spans(newest), self.edits, self.model, self.now)
        anchor = self.anchor
        goes_on = anchor is not None and find_mismatch(anchor, wanted, RULES) is None
        whole = without_open_calls(self.words(wanted.spans))
        sent, known = whole, list[str]()
        if goes_on and anchor is not None:
            later = compute_later_spans(anchor, wanted.spans)
            if not has_unanswered_calls(anchor, self.entries(later)):
                sent, known = self.words(later), self.kept[anchor.upstream_id]
        self.turns.append(([*known, *sent], whole))
        if completes:
            self._answer([*known, *sent], wanted, calls)

    def _answer(self, knew: list[str], wanted: RequiredContext, calls: int) -> None:
        self.responses += 1
        run_id, response_id = f"run_{self.runs}", f"resp_{self.responses}"
        made = tuple(f"call_{self.responses}_{n}" for n in range(calls))
        said = [f"function_call {call} {run_id}" for call in made] or [f"message {response_id} {run_id}"]
        for text in said:
            self.say(text)
        self.open = made
        self.kept[response_id] = [*knew, *said]
        if wanted.spans:
            spans = (*wanted.spans[:-1], (wanted.spans[-1][0], self.position))
            self.anchor = ContinuationPoint(
                "chained", response_id, RULES.service, self.model, spans, wanted.edits, run_id, made, self.now
            )


def without_open_calls(words: list[str]) -> list[str]:
    """What is sent whole: a service refuses calls that nobody answered."""
    answered = {text.split()[1] for text in words if text.startswith("output")}
    return [text for text in words if not text.startswith("function_call") or text.split()[1] in answered]


LIKELY = st.sampled_from([True, True, True, False])
OPERATIONS = st.one_of(
    st.tuples(st.just("say"), st.integers(1, 3)),
    st.tuples(st.just("run"), st.sampled_from([1000, 1000, 1000, 3]), st.sampled_from([0, 0, 1, 2]), LIKELY),
    st.tuples(st.just("answer"), LIKELY),
    st.tuples(st.just("delete"), st.integers(0, 9)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
    st.tuples(st.just("model"), st.sampled_from("ab")),
)


@given(st.lists(OPERATIONS, min_size=10, max_size=30))
def test_whatever_happens_the_model_knows_exactly_what_it_is_to_know(operations: list[Any]) -> None:
    model = Model()

    for operation in operations:
        model.do(operation)

    assert [knew for knew, _ in model.turns] == [wanted for _, wanted in model.turns]
