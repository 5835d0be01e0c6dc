"""What a request is made of, over random threads in a real store: the promises of the selection, seen from outside."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection

from tests.bridge.translation.upstream_events import RUN
from tests.stored_objects import call, message, thread
from threadbridge.api_types import (
    InputItem,
    JsonMapping,
    MessageObject,
    OutputMessageItem,
    ReasoningItem,
    RunObject,
    TruncationStrategy,
)
from threadbridge.context_window.history_selector import (
    SelectedHistory,
    read_spans,
    select_history,
    select_history_by_count,
)
from threadbridge.context_window.report import get_prompt_tokens
from threadbridge.context_window.tokens import HistoryRules, add_token_counts
from threadbridge.ports import Entry, ObjectKind, TimelinePosition
from threadbridge.settings import TruncationSettings
from threadbridge.translation.input_items import build_input_items
from threadbridge_adapters.stores.sql.session import SqlSession
from threadbridge_adapters.stores.sqlite.connection import (
    SqliteConnection,
    connect_writer,
    create_sqlite_engine,
    parse_store_url,
)

THREAD = "thread_1"
#: What a message or item weighs beside its letters, which the tests count as a token each.
FRAME = 4
#: The tests' threads are small, so that many can be tried in a second.
QUICKLY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
#: Lines read at one end of a thread before the selection asks for more.
PAGE = 32

LETTERS = st.integers(min_value=0, max_value=40)
BUDGETS = st.integers(min_value=0, max_value=700)


class CountingSession(SqlSession):
    """A session that counts the rows it gives out."""

    def __init__(self, connection: Connection) -> None:
        super().__init__(SqliteConnection(connection), "t")
        self.weights_read = 0
        self.entries_read = 0

    def list_positions(
        self, thread_id: str, *, limit: int, newest_first: bool = False, after_position: int | None = None
    ) -> Sequence[TimelinePosition]:
        found = super().list_positions(thread_id, limit=limit, newest_first=newest_first, after_position=after_position)
        self.weights_read += len(found)
        return found

    def iterate_entries(self, thread_id: str, *, first: int, last: int) -> Iterator[Entry]:
        for entry in super().iterate_entries(thread_id, first=first, last=last):
            self.entries_read += 1
            yield entry


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    place = parse_store_url(":memory:")
    with closing(connect_writer(create_sqlite_engine(place), place)) as opened:
        yield opened.connection


# -- Threads as runs leave them ------------------------------------------------------------------------------------


@st.composite
def rounds(draw: st.DrawFn, run_id: str, number: int) -> list[Entry]:
    """Perhaps a thought, calls, and the outputs of those that were answered before the run ended."""
    calls = [f"call_{run_id}_{number}_{k}" for k in range(draw(st.integers(min_value=1, max_value=2)))]
    answered = calls[: draw(st.integers(min_value=0, max_value=len(calls)))]
    thought: list[InputItem] = draw(st.sampled_from([[], [reasoning(draw(LETTERS))]]))
    entries = [Entry(item=item, run_id=run_id) for item in thought]
    for one in calls:
        entries.append(call(one, arguments="x" * draw(LETTERS), run_id=run_id))
    for one in answered:
        item: InputItem = {"type": "function_call_output", "call_id": one, "output": "x" * draw(LETTERS)}
        entries.append(Entry(item=item, run_id=run_id))
    return entries


@st.composite
def turns(draw: st.DrawFn, number: int) -> list[Entry]:
    """A question and what a run did about it: all of it, or as far as it came before it was cancelled."""
    run_id = f"run_{number}"
    asked = Entry(message=message(f"msg_{number}", text=f"{number} " + "x" * draw(LETTERS)))
    worked = [entry for k in range(draw(st.integers(0, 2))) for entry in draw(rounds(run_id, k))]
    words = "x" * draw(LETTERS)
    said: OutputMessageItem = {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": words}],
    }
    written: MessageObject = {**message(f"msg_{number}_answer", run_id=run_id, text=words), "role": "assistant"}
    answer = [Entry(written, said, run_id)] if draw(st.booleans()) else []
    return [asked, *worked, *answer]


@st.composite
def threads(draw: st.DrawFn) -> list[Entry]:
    """The turns of a thread; the newest belongs to the run whose request is made."""
    return [entry for number in range(draw(st.integers(1, 6))) for entry in draw(turns(number))]


def reasoning(letters: int) -> ReasoningItem:
    return {"type": "reasoning", "summary": [], "encrypted_content": "x" * (5 * letters + 5)}


class Asked(NamedTuple):
    """A choice, the input made of it, and the input that the whole thread would have made."""

    history: SelectedHistory
    items: list[InputItem]
    everything: list[InputItem]
    session: CountingSession


def ask(connection: Connection, entries: Sequence[Entry], *, budget: int, last_messages: int | None = None) -> Asked:
    run = newest_run(entries, last_messages)
    rules = HistoryRules(TruncationSettings(context_tokens=budget + 1), count_tokens=len)
    session = CountingSession(connection)
    with connection.begin() as transaction:
        session.add(ObjectKind.THREAD, thread(THREAD))
        session.append_entries(THREAD, add_token_counts(entries, len))
        history = select_history(session, rules, run, prior_usage=None, first=True)
        told = read_spans(session, THREAD, history.spans)
        transaction.rollback()
    return Asked(history, build_input_items(run, told), build_input_items(run, entries), session)


def counted_higher(
    connection: Connection, entries: Sequence[Entry], *, budget: int, factor: float
) -> list[SelectedHistory]:
    """What is chosen, and chosen again, where the service counts so many times as much as we do."""
    run = newest_run(entries, None)
    rules = HistoryRules(TruncationSettings(context_tokens=budget + 1, counting="exact"), count_tokens=len)
    session = CountingSession(connection)
    with connection.begin() as transaction:
        session.add(ObjectKind.THREAD, thread(THREAD))
        session.append_entries(THREAD, add_token_counts(entries, len))
        history: SelectedHistory | None = select_history(session, rules, run, prior_usage=None, first=True)
        seen: list[SelectedHistory] = []
        while history is not None:
            seen.append(history)
            counted = service_count(history, factor)
            over = counted > budget + 1
            told = history.report
            history = (
                select_history_by_count(session, rules, run, counted=counted, counted_report=told, first=True)
                if over
                else None
            )
        transaction.rollback()
    return seen


def service_count(history: SelectedHistory, factor: float) -> int:
    return round(get_prompt_tokens(history.report) * factor)


def newest_run(entries: Sequence[Entry], last_messages: int | None) -> RunObject:
    """The run of the newest question."""
    base: RunObject = RUN
    strategy: TruncationStrategy = {
        "type": "auto" if last_messages is None else "last_messages",
        "last_messages": last_messages,
    }
    newest = next(entry.message["id"] for entry in reversed(entries) if is_question(entry) and entry.message)
    return {**base, "id": newest.replace("msg", "run"), "instructions": None, "truncation_strategy": strategy}


def is_question(entry: Entry) -> bool:
    return entry.message is not None and entry.message["role"] == "user"


def tokens(item: JsonMapping) -> int:
    """What an item is charged for, counted from the outside."""
    match item["type"]:
        case "message":
            return FRAME + sum(len(part["text"]) for part in item["content"])
        case "function_call":
            return FRAME + len(item["name"]) + len(item["arguments"])
        case "reasoning":
            return FRAME + len(item["encrypted_content"]) // 5
        case _:
            return FRAME + len(item["output"])


# -- The promises --------------------------------------------------------------------------------------------------


@QUICKLY
@given(entries=threads(), budget=BUDGETS)
def test_a_request_is_within_its_budget(connection: Connection, entries: list[Entry], budget: int) -> None:
    asked = ask(connection, entries, budget=budget)
    assume(asked.history.fits)

    assert sum(tokens(item) for item in asked.items) <= budget + 1


@QUICKLY
@given(entries=threads(), budget=BUDGETS)
def test_a_request_has_no_call_without_output_and_no_reasoning_without_successor(
    connection: Connection, entries: list[Entry], budget: int
) -> None:
    items = ask(connection, entries, budget=budget).items

    calls = [item["call_id"] for item in items if item["type"] == "function_call"]
    outputs = [item["call_id"] for item in items if item["type"] == "function_call_output"]
    led_to = [after["type"] for item, after in pairwise(items) if item["type"] == "reasoning"]
    assert sorted(calls) == sorted(outputs)
    assert items[-1]["type"] != "reasoning"
    assert set(led_to) <= {"function_call", "message"}


@QUICKLY
@given(entries=threads(), budget=BUDGETS)
def test_what_is_sent_together_stays_as_the_whole_thread_would_have_it(
    connection: Connection, entries: list[Entry], budget: int
) -> None:
    asked = ask(connection, entries, budget=budget)
    assume(asked.history.fits)

    whole = iter(asked.everything)

    assert all(item in whole for item in asked.items)


@QUICKLY
@given(entries=threads(), budget=BUDGETS)
def test_the_newest_question_is_in_every_request(connection: Connection, entries: list[Entry], budget: int) -> None:
    asked = ask(connection, entries, budget=budget)
    assume(asked.history.fits)

    *_, newest = [item for item in asked.everything if item.get("role") == "user"]

    assert newest in asked.items


@QUICKLY
@given(entries=threads(), wanted=st.integers(min_value=1, max_value=12))
def test_last_messages_sends_exactly_that_many(connection: Connection, entries: list[Entry], wanted: int) -> None:
    asked = ask(connection, entries, budget=0, last_messages=wanted)

    messages = [item for item in asked.items if item["type"] == "message"]

    assert messages == [item for item in asked.everything if item["type"] == "message"][-wanted:]


@QUICKLY
@given(entries=threads(), budget=BUDGETS)
def test_making_a_request_again_makes_the_same(connection: Connection, entries: list[Entry], budget: int) -> None:
    first = ask(connection, entries, budget=budget)
    again = ask(connection, entries, budget=budget)

    assert (again.history, again.items) == (first.history, first.items)


@QUICKLY
@given(entries=threads(), budget=BUDGETS, factor=st.floats(min_value=0.3, max_value=4))
def test_what_the_service_counts_higher_gets_shorter_until_it_fits_or_is_the_newest_turn(
    connection: Connection, entries: list[Entry], budget: int, factor: float
) -> None:
    seen = counted_higher(connection, entries, budget=budget, factor=factor)

    sent = [history.report["sent"]["tokens"] for history in seen]
    questions = [number for number, entry in enumerate(entries) if is_question(entry)]
    newest_turn = len(entries) - questions[-1]
    assert sent == sorted(set(sent), reverse=True)
    assert service_count(seen[-1], factor) <= budget + 1 or seen[-1].report["sent"]["entries"] == newest_turn
    assert all(history.spans[-1][1] - history.spans[-1][0] + 1 >= newest_turn for history in seen)


@pytest.mark.parametrize("last_messages", [None, 2])
def test_compactions_of_another_time_are_not_sent_and_weigh_nothing(
    connection: Connection, last_messages: int | None
) -> None:
    compaction = Entry(item={"type": "compaction", "encrypted_content": "x" * 5000}, run_id="run_0")
    entries = [Entry(message=message("msg_0")), compaction, Entry(message=message("msg_1"))]

    asked = ask(connection, entries, budget=20, last_messages=last_messages)

    assert [item["type"] for item in asked.items] == ["message", "message"]
    assert asked.history.report["sent"] == {
        "messages": 2,
        "entries": 2,
        "tokens": sum(tokens(item) for item in asked.items),
        "instructions_and_tools_tokens": 0,
    }


@settings(QUICKLY, max_examples=25)
@given(length=st.integers(1, 1500), budget=st.integers(5, 4000))
def test_the_rows_that_are_read_are_few_more_than_those_that_are_sent(
    connection: Connection, length: int, budget: int
) -> None:
    entries = [Entry(message=message(f"msg_{number}")) for number in range(length)]

    asked = ask(connection, entries, budget=budget)

    sent = asked.history.report["sent"]["entries"]
    assert asked.session.entries_read == sent
    assert asked.session.weights_read <= 2 * PAGE + 3 * sent


def test_what_was_never_counted_is_counted_once(connection: Connection) -> None:
    counted: list[str] = []

    def count(text: str) -> int:
        counted.append(text)
        return len(text)

    entries = [Entry(message=message(f"msg_{number}", text=f"{number}")) for number in range(2)]
    session = CountingSession(connection)
    with connection.begin() as transaction:
        session.add(ObjectKind.THREAD, thread(THREAD))
        session.append_entries(THREAD, entries)
        rules = HistoryRules(TruncationSettings(context_tokens=1000), count_tokens=count)
        select_history(session, rules, newest_run(entries, None), prior_usage=None, first=True)
        transaction.rollback()

    assert sorted(counted) == ["0", "1"]


@pytest.mark.parametrize("length", [1, PAGE - 1])
def test_a_short_thread_is_looked_through_once(connection: Connection, length: int) -> None:
    entries = [Entry(message=message(f"msg_{number}")) for number in range(length)]

    asked = ask(connection, entries, budget=10_000)

    assert asked.history.report["sent"]["entries"] == length
    assert asked.session.weights_read == length
