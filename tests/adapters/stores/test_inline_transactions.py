"""Short transactions run on the caller's thread where its connection is free; those that may take long do not."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.stored_objects import get_driver, thread
from threadbridge.errors import StoreError
from threadbridge.ports import ObjectKind, Session, Store
from threadbridge_adapters.stores import open_store
from threadbridge_adapters.stores.sqlite.store import WRITES_PER_CHECKPOINT


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(str(tmp_path / "threads.db"))
    await opened.write(lambda session: session.add(ObjectKind.THREAD, thread("thread_1")), tenant="t")
    yield opened
    await opened.aclose()


def whose_thread(session: Session) -> tuple[int, bool]:
    return threading.get_ident(), session.get(ObjectKind.THREAD, "thread_1") is not None


async def test_a_read_of_a_file_wakes_no_thread(store: Store) -> None:
    assert await store.read(whose_thread, tenant="t") == (threading.get_ident(), True)


async def test_a_read_in_memory_keeps_to_the_thread_of_its_only_connection() -> None:
    store = await open_store(":memory:")

    reader, _ = await store.read(whose_thread, tenant="t")

    await store.aclose()
    assert reader != threading.get_ident()


async def test_a_read_that_meets_a_lock_is_left_to_a_connection_that_waits(store: Store) -> None:
    asked: list[sqlite3.Connection] = []

    def look(session: Session) -> bool:
        asked.append(get_driver(session))
        if len(asked) == 1:
            raise sqlite3.OperationalError("database is locked")
        return session.get(ObjectKind.THREAD, "thread_1") is not None

    assert await store.read(look, tenant="t")
    assert asked[0] is not asked[1]


@pytest.mark.parametrize("in_memory", [False, True])
async def test_what_looks_may_not_write(store: Store, in_memory: bool) -> None:
    held = await open_store(":memory:") if in_memory else store

    with pytest.raises(StoreError, match="readonly"):
        await held.read(where_it_writes("thread_2"), tenant="t")

    assert await held.read(lambda session: session.get(ObjectKind.THREAD, "thread_2"), tenant="t") is None
    if in_memory:
        await held.aclose()


async def test_a_second_loop_does_not_wait_for_a_read_of_the_first(store: Store) -> None:
    def look_from_another_loop(_: Session) -> tuple[int, bool]:
        async def look() -> tuple[int, bool]:
            return await store.read(whose_thread, tenant="t")

        seen: list[tuple[int, bool]] = []
        other = threading.Thread(target=lambda: seen.append(asyncio.run(look())))
        other.start()
        other.join(5)
        return seen[0]

    reader, found = await store.read(look_from_another_loop, tenant="t")

    assert found
    assert reader != threading.get_ident()


async def test_a_store_closed_during_a_read_lets_it_end_and_refuses_the_next(store: Store) -> None:
    def close_and_look(session: Session) -> bool:
        closing.append(asyncio.ensure_future(store.aclose()))
        return whose_thread(session)[1]

    closing: list[asyncio.Future[None]] = []

    assert await store.read(close_and_look, tenant="t")
    await closing[0]

    with pytest.raises(StoreError, match="The store is closed"):
        await store.read(whose_thread, tenant="t")


async def test_a_read_that_fails_leaves_the_next_one_a_connection(store: Store) -> None:
    def fail(_: Session) -> None:
        raise ValueError

    with pytest.raises(ValueError, match="^$"):
        await store.read(fail, tenant="t")

    assert (await store.read(whose_thread, tenant="t"))[1]


def where_it_writes(name: str) -> Callable[[Session], int]:
    def work(session: Session) -> int:
        session.add(ObjectKind.THREAD, thread(name))
        return threading.get_ident()

    return work


@pytest.mark.parametrize("synchronous", ["normal", "full"])
async def test_a_write_runs_on_the_writers_thread(tmp_path: Path, synchronous: str) -> None:
    store = await open_store(f"sqlite:///{tmp_path}/other.db?synchronous={synchronous}")

    writer = await store.write(where_it_writes("thread_1"), tenant="t")

    await store.aclose()
    assert writer != threading.get_ident()


async def test_a_write_that_another_process_holds_up_waits_on_a_thread(store: Store, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "threads.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    writing = asyncio.ensure_future(store.write(where_it_writes("thread_2"), tenant="t"))
    await asyncio.sleep(0.05)
    other.execute("ROLLBACK")
    other.close()

    assert await writing != threading.get_ident()


async def test_a_write_that_fails_leaves_nothing(store: Store) -> None:
    def fail(session: Session) -> None:
        session.add(ObjectKind.THREAD, thread("thread_2"))
        raise ValueError

    with pytest.raises(ValueError, match="^$"):
        await store.write(fail, tenant="t")

    assert await store.read(lambda session: session.get(ObjectKind.THREAD, "thread_2"), tenant="t") is None


def whose_write(session: Session) -> int:
    session.add(ObjectKind.THREAD, thread("thread_2"))
    return threading.get_ident()


async def test_a_short_write_of_a_file_wakes_no_thread(store: Store) -> None:
    assert await store.write(whose_write, tenant="t") == threading.get_ident()


async def test_a_large_write_runs_on_the_writers_thread(store: Store) -> None:
    assert await store.write(whose_write, tenant="t", large=True) != threading.get_ident()


async def test_a_write_that_waits_for_the_disk_runs_on_the_writers_thread(tmp_path: Path) -> None:
    store = await open_store(f"sqlite:///{tmp_path / 'threads.db'}?synchronous=full")

    assert await store.write(whose_write, tenant="t") != threading.get_ident()
    await store.aclose()


async def test_a_write_that_meets_the_lock_of_another_process_waits_on_the_writers_thread(
    store: Store, tmp_path: Path
) -> None:
    other = sqlite3.connect(tmp_path / "threads.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    waiting = asyncio.ensure_future(store.write(whose_write, tenant="t"))
    await asyncio.sleep(0.05)  # the loop runs on
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()

    assert await waiting != threading.get_ident()


def add_thread(body: dict[str, Any], session: Session) -> None:
    session.add(ObjectKind.THREAD, body)


async def test_the_log_of_short_writes_is_folded_into_the_file(store: Store, tmp_path: Path) -> None:
    for number in range(8 * WRITES_PER_CHECKPOINT):
        body = {**thread(f"thread_new_{number}"), "metadata": {"a": "x" * 4000}}
        await store.write(partial(add_thread, body), tenant="t")

    assert (tmp_path / "threads.db-wal").stat().st_size < 8_000_000  # more than twice that without
