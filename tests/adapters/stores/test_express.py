"""Reads happen where they are asked for, unless somebody else is reading there."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.stored_objects import thread
from threadbridge.errors import StoreError
from threadbridge.ports import Kind, Session, Store
from threadbridge_adapters.stores import open_store


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(str(tmp_path / "threads.db"))
    await opened.write(lambda session: session.add(Kind.THREAD, thread("thread_1")), tenant="t")
    yield opened
    await opened.aclose()


def whose_thread(session: Session) -> tuple[int, bool]:
    return threading.get_ident(), session.get(Kind.THREAD, "thread_1") is not None


async def test_a_read_of_a_file_wakes_no_thread(store: Store) -> None:
    assert await store.read(whose_thread, tenant="t") == (threading.get_ident(), True)


async def test_a_read_in_memory_keeps_to_the_thread_of_its_only_connection() -> None:
    store = await open_store(":memory:")

    reader, _ = await store.read(whose_thread, tenant="t")

    await store.aclose()
    assert reader != threading.get_ident()


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
