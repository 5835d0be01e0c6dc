"""What the hot operations cost does not grow with the thread: counted in steps of SQLite's machine, not in time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from tests.bridge.translation.upstream_events import RUN
from tests.stored_objects import message, run, step, thread
from threadbridge.api_types import OutputMessageItem, RunObject, TruncationStrategy
from threadbridge.context_window.history_selector import select_history
from threadbridge.context_window.tokens import HistoryRules, add_token_counts
from threadbridge.ports import Entry, ObjectKind, Session, SpendScope, SpendTotals, Turn
from threadbridge.settings import TruncationSettings
from threadbridge_adapters.stores.sql.session import SqlSession
from threadbridge_adapters.stores.sqlite.connection import (
    SqliteConnection,
    connect_writer,
    create_sqlite_engine,
    parse_store_url,
)

SMALL, LARGE = 100, 100_000


def fill(session: Session, name: str, messages: int) -> None:
    """A thread of user messages with one run of two messages in the middle, and an active run at the end."""
    session.add(ObjectKind.THREAD, thread(name))
    session.add(ObjectKind.RUN, run(f"run_{name}_old", name, status="completed"))
    session.add(ObjectKind.STEP, step(f"step_{name}", name, f"run_{name}_old"))
    session.add_turn(f"run_{name}_old", Turn(1))
    session.add(ObjectKind.RUN, run(f"run_{name}", name))
    item: OutputMessageItem = {"type": "message", "role": "assistant", "content": []}
    middle = [Entry(message(f"msg_{name}_run_{k}", name), item, f"run_{name}_old") for k in range(2)]
    spoken = [Entry(message(f"msg_{name}_{n}", name)) for n in range(messages)]
    session.add_spending(1, SpendTotals(turns=1), {SpendScope.THREAD: name, SpendScope.TENANT: ""})
    session.append_entries(
        name, add_token_counts([*spoken[: messages // 2], *middle, *spoken[messages // 2 :]], lambda _: 6)
    )


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteConnection]:
    """A store with a short and a long thread."""
    place = parse_store_url(str(tmp_path_factory.mktemp("costs") / "threads.db"))
    engine = create_sqlite_engine(place)
    with closing(connect_writer(engine, place)) as opened:
        with opened.connection.begin():
            session = SqlSession(opened, "t")
            fill(session, "small", SMALL)
            fill(session, "large", LARGE)
        yield opened


def steps_of(connection: SqliteConnection, work: Callable[[Session], object]) -> int:
    """How many instructions SQLite executes for the work, whose changes are taken back."""
    counted = 0

    def count() -> None:
        nonlocal counted
        counted += 1

    driver = connection.driver
    driver.set_progress_handler(count, 1)
    try:
        with connection.connection.begin() as transaction:
            work(SqlSession(connection, "t"))
            transaction.rollback()
    finally:
        driver.set_progress_handler(None, 1)
    return counted


RULES = HistoryRules(TruncationSettings(context_tokens=200), count_tokens=lambda _: 6)


def asking(name: str, *, last_messages: int | None = None) -> RunObject:
    """A run on the thread, about to have its history chosen."""
    strategy: TruncationStrategy = {
        "type": "auto" if last_messages is None else "last_messages",
        "last_messages": last_messages,
    }
    base: RunObject = RUN
    return {**base, "id": f"run_{name}", "thread_id": name, "truncation_strategy": strategy}


Work = Callable[[Session, str], object]

OPERATIONS: dict[str, Work] = {
    "get a message": lambda s, name: s.get(ObjectKind.MESSAGE, f"msg_{name}_9"),
    "append a message": lambda s, name: s.append_entries(name, [Entry(message("msg_new", name), None, "run_x")]),
    "add a message": lambda s, name: s.add(ObjectKind.MESSAGE, message("msg_new", name)),
    "replace a message": lambda s, name: s.put(ObjectKind.MESSAGE, message(f"msg_{name}_9", name)),
    "remove a message": lambda s, name: s.remove(ObjectKind.MESSAGE, f"msg_{name}_9"),
    "newest messages": lambda s, name: s.get_page(ObjectKind.MESSAGE, limit=20, order="desc", thread_id=name),
    "oldest messages": lambda s, name: s.get_page(ObjectKind.MESSAGE, limit=20, order="asc", thread_id=name),
    "messages after one": lambda s, name: s.get_page(
        ObjectKind.MESSAGE, limit=20, order="asc", thread_id=name, after=f"msg_{name}_50"
    ),
    "messages before one": lambda s, name: s.get_page(
        ObjectKind.MESSAGE, limit=20, order="desc", thread_id=name, before=f"msg_{name}_50"
    ),
    "messages between two": lambda s, name: s.get_page(
        ObjectKind.MESSAGE, limit=20, order="asc", thread_id=name, after=f"msg_{name}_30", before=f"msg_{name}_40"
    ),
    "messages of a run": lambda s, name: s.get_page(
        ObjectKind.MESSAGE, limit=20, order="desc", thread_id=name, run_id=f"run_{name}_old"
    ),
    "runs of a thread": lambda s, name: s.get_page(ObjectKind.RUN, limit=20, order="desc", thread_id=name),
    "steps of a run": lambda s, name: s.get_page(
        ObjectKind.STEP, limit=20, order="desc", thread_id=name, run_id=f"run_{name}_old"
    ),
    "threads": lambda s, _: s.get_page(ObjectKind.THREAD, limit=20, order="desc"),
    "the active run": lambda s, name: s.get_active_run(name),
    "the last 20 messages of the timeline": lambda s, name: s.list_entries(name, last_messages=20),
    "the items of a run": lambda s, name: s.list_run_items(f"run_{name}_old"),
    "the turns of a run": lambda s, name: s.list_turns(f"run_{name}_old"),
    "the newest weights": lambda s, name: s.list_positions(name, limit=20, newest_first=True),
    "the oldest weights": lambda s, name: s.list_positions(name, limit=20),
    "the size of a thread": lambda s, name: s.get_thread_size(name),
    "the history of a run": lambda s, name: select_history(s, RULES, asking(name), prior_usage=None, first=True),
    "the last 20 messages of a run": lambda s, name: select_history(
        s, RULES, asking(name, last_messages=20), prior_usage=None, first=True
    ),
    "what a thread spent": lambda s, name: s.list_spending(SpendScope.THREAD, key=name),
    "spending more": lambda s, name: s.add_spending(
        2, SpendTotals(turns=1), {SpendScope.THREAD: name, SpendScope.TENANT: ""}
    ),
    "what every thread spent": lambda s, _: s.list_spending(SpendScope.THREAD, since=1),
    "the tenants to sweep": lambda s, _: s.list_tenants_to_sweep(lease_expired_before=100, limit=20),
    "a lease": lambda s, name: s.get_lease(f"run_{name}"),
}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_operation_costs_the_same_on_a_hundred_and_on_a_hundred_thousand_messages(
    connection: SqliteConnection, operation: str
) -> None:
    work = OPERATIONS[operation]

    small = steps_of(connection, lambda session: work(session, "small"))
    large = steps_of(connection, lambda session: work(session, "large"))

    assert 0 < large <= small * 1.2


def test_the_whole_timeline_costs_what_it_returns(connection: SqliteConnection) -> None:
    small = steps_of(connection, lambda session: session.list_entries("small"))
    large = steps_of(connection, lambda session: session.list_entries("large"))

    assert large < small * (LARGE / SMALL) * 1.2


def plans(connection: SqliteConnection, work: Callable[[Session], object]) -> list[str]:
    """How SQLite finds its way through every statement of the work."""
    statements: list[str] = []
    driver = connection.driver
    with connection.connection.begin() as transaction:
        driver.set_trace_callback(statements.append)
        try:
            work(SqlSession(connection, "t"))
        finally:
            driver.set_trace_callback(None)
        transaction.rollback()
    assert statements
    found: list[str] = []
    for statement in statements:
        with closing(driver.execute(f"EXPLAIN QUERY PLAN {statement}")) as rows:
            found += [row[3] for row in rows]
    return found


@pytest.mark.parametrize("operation", [*OPERATIONS, "remove a thread"])
def test_no_statement_scans_a_table_or_sorts(connection: SqliteConnection, operation: str) -> None:
    work = {**OPERATIONS, "remove a thread": removing_a_thread}[operation]

    found = plans(connection, lambda session: work(session, "large"))

    assert not [line for line in found if line.startswith("SCAN") or "TEMP B-TREE" in line]


def removing_a_thread(session: Session, name: str) -> object:
    return session.remove(ObjectKind.THREAD, name)
