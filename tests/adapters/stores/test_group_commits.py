"""Writes that wait together are committed together; none of them notices. And how the threads of a store end."""

from __future__ import annotations

import asyncio
import gc
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Engine

from tests.stored_objects import get_driver, thread
from threadbridge.errors import Conflict, StoreError
from threadbridge.ports import ObjectKind, Session, Store
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.stores.sqlite.store import MAX_GROUP_COMMIT, SqliteStore
from threadbridge_adapters.stores.sqlite.transactions import TransactionRequest

Listen = Callable[[str, Callable[..., Any]], None]


class Driver:
    """Watches what the store's connections begin and commit, and fails where a test says so."""

    def __init__(self) -> None:
        self.commits: list[sqlite3.Connection] = []
        self.begun: list[sqlite3.Connection] = []
        self.fail_to_commit: Callable[[], None] = lambda: None
        self.fail_to_begin: Callable[[], None] = lambda: None

    def connect(self, _dialect: object, _record: object, arguments: Any, options: Any) -> sqlite3.Connection:
        driver = self

        class Watched(sqlite3.Connection):
            def commit(self) -> None:
                driver.commits.append(self)
                driver.fail_to_commit()
                super().commit()

            def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
                if sql.startswith("BEGIN"):
                    driver.begun.append(self)
                    driver.fail_to_begin()
                return super().execute(sql, *parameters)

        return sqlite3.connect(*arguments, **options, factory=Watched)


@pytest.fixture
def driver(listen: Listen) -> Driver:
    watching = Driver()
    listen("do_connect", watching.connect)
    return watching


@pytest.fixture
async def store(tmp_path: Path, driver: Driver) -> AsyncIterator[Store]:
    opened = await open_store(str(tmp_path / "threads.db"))
    driver.commits.clear()
    driver.begun.clear()
    yield opened
    await opened.aclose()


@pytest.fixture
def listen() -> Iterator[Listen]:
    """Listens to every engine until the test ends."""
    listening: list[tuple[str, Callable[..., Any]]] = []

    def start(name: str, listener: Callable[..., Any]) -> None:
        listening.append((name, listener))
        event.listen(Engine, name, listener)

    yield start
    for name, listener in listening:
        event.remove(Engine, name, listener)


def adding(name: str, *, times: int = 1, size: int = 0) -> Callable[[Session], None]:
    def work(session: Session) -> None:
        for _ in range(times):
            session.add(ObjectKind.THREAD, {**thread(name), "metadata": {"k": "x" * size}})

    return work


async def behind_a_slow_write(store: Store, *works: Callable[[Session], None]) -> list[object]:
    """The outcomes of writes that all wait while another one is under way."""
    begun, go_on = threading.Event(), threading.Event()

    def slow(_: Session) -> None:
        begun.set()
        assert go_on.wait(5)

    first = TransactionRequest(slow, tenant="t", writes=True)
    written = cast(SqliteStore, store).scheduler.writer.submit(first)
    await asyncio.to_thread(begun.wait, 5)
    waiting = [asyncio.ensure_future(store.write(work, tenant="t")) for work in works]
    await asyncio.sleep(0)
    go_on.set()
    await written
    return list(await asyncio.gather(*waiting, return_exceptions=True))


def limit_pages(connection: sqlite3.Connection, _record: object) -> None:
    """Leave room for one large object and not for two."""
    connection.execute("PRAGMA max_page_count = 60").close()


async def threads_in(store: Store) -> list[str]:
    page = await store.read(lambda session: session.get_page(ObjectKind.THREAD, limit=1000, order="asc"), tenant="t")
    return [body["id"] for body in page.data]


async def test_writes_that_wait_share_a_commit_up_to_a_bound(store: Store, driver: Driver) -> None:
    names = [f"thread_{n}" for n in range(MAX_GROUP_COMMIT + 10)]

    outcomes = await behind_a_slow_write(store, *map(adding, names))

    assert outcomes == [None] * len(names)
    assert len(driver.commits) == 3  # the slow one, a full group, the rest
    assert await threads_in(store) == names


async def test_a_lone_write_needs_no_savepoint(tmp_path: Path, listen: Listen) -> None:
    statements: list[str] = []

    def trace(connection: sqlite3.Connection, _record: object) -> None:
        connection.set_trace_callback(statements.append)

    listen("connect", trace)
    store = await open_store(str(tmp_path / "threads.db"))
    await store.write(adding("thread_1"), tenant="t", large=True)
    statements.clear()

    await store.write(adding("thread_2"), tenant="t", large=True)

    assert [statement.split()[0] for statement in statements] == ["BEGIN", "INSERT", "COMMIT"]
    await store.aclose()


async def test_a_refused_write_takes_back_its_own_rows_only(store: Store) -> None:
    outcomes = await behind_a_slow_write(store, adding("before"), adding("twice", times=2), adding("after"))

    assert [type(outcome) for outcome in outcomes] == [type(None), Conflict, type(None)]
    assert await threads_in(store) == ["before", "after"]


async def test_a_failed_commit_fails_everybody_who_shared_it(store: Store, driver: Driver) -> None:
    def fail_the_second() -> None:
        if len(driver.commits) == 2:
            raise sqlite3.OperationalError("disk I/O error")

    driver.fail_to_commit = fail_the_second

    outcomes = await behind_a_slow_write(store, adding("one"), adding("twice", times=2), adding("two"))

    assert [type(outcome) for outcome in outcomes] == [StoreError, Conflict, StoreError]
    assert "could not be written (disk I/O error)" in str(outcomes[0])
    assert await threads_in(store) == []
    await store.write(adding("one"), tenant="t")
    assert await threads_in(store) == ["one"]


async def test_a_full_disk_fails_the_write_that_did_not_fit(tmp_path: Path, listen: Listen) -> None:
    listen("connect", limit_pages)
    store = await open_store(str(tmp_path / "small.db"))

    outcomes = await behind_a_slow_write(store, adding("before"), adding("big", size=1_000_000), adding("after"))

    found = await threads_in(store)
    await store.aclose()
    assert [type(outcome) for outcome in outcomes] == [type(None), StoreError, type(None)]
    assert "database or disk is full); free some space" in str(outcomes[1])
    assert found == ["before", "after"]


async def test_a_full_disk_fails_a_lone_write_and_the_store_goes_on(tmp_path: Path, listen: Listen) -> None:
    listen("connect", limit_pages)
    store = await open_store(str(tmp_path / "small.db"))

    with pytest.raises(StoreError, match="disk is full"):
        await store.write(adding("big", size=1_000_000), tenant="t")

    await store.write(adding("small"), tenant="t")
    found = await threads_in(store)
    await store.aclose()
    assert found == ["small"]


def giving_up(*, swallowed: bool) -> Callable[[Session], None]:
    """What SQLite does to a transaction when its disk fails: it is simply over."""

    def work(session: Session) -> None:
        get_driver(session).execute("ROLLBACK")
        if not swallowed:
            raise ValueError

    return work


@pytest.mark.parametrize(("swallowed", "told"), [(False, ValueError), (True, StoreError)])
async def test_a_transaction_the_database_gave_up_is_run_again_without_the_culprit(
    store: Store, swallowed: bool, told: type[Exception]
) -> None:
    culprit = giving_up(swallowed=swallowed)

    outcomes = await behind_a_slow_write(store, adding("before"), culprit, adding("after"))

    assert [type(outcome) for outcome in outcomes] == [type(None), told, type(None)]
    assert await threads_in(store) == ["before", "after"]


async def test_a_read_survives_a_lost_transaction(store: Store) -> None:
    with pytest.raises(StoreError, match="could not be read: SQLite gave up the transaction"):
        await store.read(giving_up(swallowed=True), tenant="t")

    assert await threads_in(store) == []


async def test_a_connection_in_an_unknown_state_is_replaced(store: Store, driver: Driver) -> None:
    def fail_the_first() -> None:
        if len(driver.begun) == 1:
            raise MemoryError

    driver.fail_to_begin = fail_the_first

    with pytest.raises(MemoryError):
        await store.write(adding("one"), tenant="t")

    await store.write(adding("two"), tenant="t")

    assert driver.begun[0] is not driver.begun[-1]
    assert await threads_in(store) == ["two"]


@pytest.mark.parametrize("url", ["threads.db", ":memory:"])
async def test_the_threads_of_a_store_nobody_holds_any_more_end(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    before = set(threading.enumerate())
    store = await open_store(url)
    await threads_in(store)
    started = set(threading.enumerate()) - before

    del store
    gc.collect()
    for worker in started:
        await asyncio.to_thread(worker.join, 5)

    assert started
    assert not any(worker.is_alive() for worker in started)


async def test_a_store_that_was_only_opened_can_be_closed_on_another_loop(tmp_path: Path) -> None:
    store = await open_store(str(tmp_path / "threads.db"))

    await asyncio.to_thread(lambda: asyncio.run(store.aclose()))

    with pytest.raises(StoreError, match="closed"):
        await threads_in(store)
