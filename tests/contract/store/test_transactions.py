"""All or nothing, many at once, and closing (`ports.Store`)."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

from tests.contract.store.single_transaction import TENANT, add_objects, get_object
from tests.stored_objects import assistant, thread
from threadbridge.api_types import JsonValue
from threadbridge.errors import Conflict, StoreError
from threadbridge.ports import ObjectKind, Session, Store
from threadbridge_adapters.stores import open_store


class Refusal(Exception):
    """Raised by the work itself."""


async def test_work_that_raises_changes_nothing_and_its_own_exception_arrives(store: Store) -> None:
    refusal = Refusal()

    def work(session: Session) -> None:
        session.add(ObjectKind.THREAD, thread())
        raise refusal

    with pytest.raises(Refusal) as raised:
        await store.write(work, tenant=TENANT)

    assert raised.value is refusal
    assert await get_object(store, ObjectKind.THREAD, "thread_1") is None


async def test_a_read_that_raises_leaves_the_store_usable(store: Store) -> None:
    def work(session: Session) -> None:
        session.get(ObjectKind.THREAD, "thread_1")
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await store.read(work, tenant=TENANT)

    assert await get_object(store, ObjectKind.THREAD, "thread_1") is None


async def test_a_transaction_sees_its_own_changes(store: Store) -> None:
    def work(session: Session) -> JsonValue:
        session.add(ObjectKind.ASSISTANT, assistant())
        return session.get(ObjectKind.ASSISTANT, "asst_1")

    assert await store.write(work, tenant=TENANT) == assistant()


async def test_a_reading_transaction_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.read(lambda session: session.add(ObjectKind.THREAD, thread()), tenant=TENANT)

    assert await get_object(store, ObjectKind.THREAD, "thread_1") is None
    await add_objects(store, (ObjectKind.THREAD, thread()))


async def test_one_failing_write_among_many_takes_no_other_along(store: Store) -> None:
    def work(session: Session, n: int) -> None:
        session.add(ObjectKind.THREAD, thread(f"thread_{n}"))
        session.add(ObjectKind.THREAD, thread(f"thread_{n}" if n % 10 == 3 else f"thread_{n}_too"))

    writes = [store.write(partial(work, n=n), tenant=TENANT) for n in range(50)]

    outcomes = await asyncio.gather(*writes, return_exceptions=True)

    page = await store.read(lambda session: session.get_page(ObjectKind.THREAD, limit=200, order="asc"), tenant=TENANT)
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)] == [3, 13, 23, 33, 43]
    assert len(page.data) == 90


async def test_fifty_tasks_read_what_they_wrote(store: Store) -> None:
    async def one(n: int) -> list[JsonValue]:
        seen: list[JsonValue] = []
        for k in range(4):
            await add_objects(store, (ObjectKind.THREAD, thread(f"thread_{n}_{k}")))
            seen.append(await get_object(store, ObjectKind.THREAD, f"thread_{n}_{k}"))
        return seen

    seen = await asyncio.gather(*(one(n) for n in range(50)))

    assert seen == [[thread(f"thread_{n}_{k}") for k in range(4)] for n in range(50)]


async def test_a_write_whose_caller_gave_up_happens_all_the_same(store: Store) -> None:
    task = asyncio.ensure_future(store.write(lambda session: session.add(ObjectKind.THREAD, thread()), tenant=TENANT))
    await asyncio.sleep(0)  # it is handed in now

    task.cancel()
    await asyncio.wait({task})

    await add_objects(store, (ObjectKind.THREAD, thread("thread_2")))
    assert await get_object(store, ObjectKind.THREAD, "thread_1") == thread()


async def test_a_store_serves_several_event_loops_at_once(store: Store) -> None:
    def elsewhere(n: int) -> JsonValue:
        async def both() -> JsonValue:
            await add_objects(store, (ObjectKind.THREAD, thread(f"thread_{n}")))
            return await get_object(store, ObjectKind.THREAD, f"thread_{n}")

        return asyncio.run(both())

    seen = await asyncio.gather(*(asyncio.to_thread(elsewhere, n) for n in range(4)))

    assert seen == [thread(f"thread_{n}") for n in range(4)]


async def test_closing_waits_for_what_was_begun_and_may_be_repeated(url: str) -> None:
    store = await open_store(url)
    write = asyncio.ensure_future(add_objects(store, (ObjectKind.THREAD, thread())))
    await asyncio.sleep(0)

    await asyncio.gather(store.aclose(), store.aclose())

    await write
    await store.aclose()


async def test_a_closed_store_says_so(url: str) -> None:
    store = await open_store(url)
    await store.aclose()

    with pytest.raises(StoreError, match="closed"):
        await get_object(store, ObjectKind.THREAD, "thread_1")
