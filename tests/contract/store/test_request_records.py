"""What every store keeps of answered requests."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contract.store.single_transaction import TENANT, add_objects
from tests.stored_objects import message, thread
from threadbridge.ports import Entry, ObjectKind, RecordedRequest, Session, Store, ThreadSize

MESSAGE = RecordedRequest("d1", ObjectKind.MESSAGE, "msg_1", at=1.5)
RUN = RecordedRequest("d2", ObjectKind.RUN, "run_1", at=2.5, attempt=3, step_id="step_1", thread_id="thread_1")


async def put_keyed(store: Store, **requests: RecordedRequest) -> None:
    def work(session: Session) -> None:
        for key, request in requests.items():
            session.put_keyed_request(key, request)

    await store.write(work, tenant=TENANT)


async def get_keyed(store: Store, *keys: str, tenant: str = TENANT) -> list[RecordedRequest | None]:
    return await store.read(lambda session: [session.get_keyed_request(key) for key in keys], tenant=tenant)


async def put_of_thread(store: Store, thread_id: str, *requests: RecordedRequest) -> None:
    await store.write(lambda session: session.put_thread_requests(thread_id, requests), tenant=TENANT)


async def list_of_thread(store: Store, thread_id: str, *, tenant: str = TENANT) -> Sequence[RecordedRequest]:
    return await store.read(lambda session: session.list_thread_requests(thread_id), tenant=tenant)


async def test_a_request_is_found_by_its_key_and_replaced_under_it(store: Store) -> None:
    await put_keyed(store, a=MESSAGE, b=RUN)
    await put_keyed(store, a=RUN._replace(object_id="run_2"))

    assert await get_keyed(store, "a", "b", "c") == [RUN._replace(object_id="run_2"), RUN, None]
    assert await get_keyed(store, "a", tenant="tenant_b") == [None]


async def test_the_oldest_keyed_requests_are_removed_first_and_only_so_many(store: Store) -> None:
    await put_keyed(store, **{f"k{at}": MESSAGE._replace(at=at) for at in (3, 1, 2, 4)})

    def remove(session: Session) -> list[int]:
        return [session.remove_keyed_requests(answered_before=4, limit=2) for _ in range(3)]

    counts = await store.write(remove, tenant=TENANT)
    others = await store.write(
        lambda session: session.remove_keyed_requests(answered_before=9, limit=9), tenant="tenant_b"
    )

    assert (counts, others) == ([2, 1, 0], 0)
    assert await get_keyed(store, "k1", "k2", "k3", "k4") == [None, None, None, MESSAGE._replace(at=4)]


async def test_the_requests_of_a_thread_are_replaced_and_leave_its_size_alone(store: Store) -> None:
    await put_of_thread(store, "thread_1", MESSAGE)
    await store.write(
        lambda session: session.append_entries("thread_1", [Entry(message=message("msg_1"))]), tenant=TENANT
    )
    after_entry = await list_of_thread(store, "thread_1")
    await put_of_thread(store, "thread_1", MESSAGE, RUN)

    assert after_entry == [MESSAGE]
    assert await list_of_thread(store, "thread_1") == [MESSAGE, RUN]
    size = await store.read(lambda session: session.get_thread_size("thread_1"), tenant=TENANT)
    assert size == ThreadSize(1, 0)


async def test_each_thread_and_each_tenant_has_requests_of_its_own_which_are_removed_with_the_thread(
    store: Store,
) -> None:
    await add_objects(store, (ObjectKind.THREAD, thread("thread_1")))
    await put_of_thread(store, "thread_1", MESSAGE)
    before = [
        await list_of_thread(store, "thread_1"),
        await list_of_thread(store, "thread_2"),
        await list_of_thread(store, "thread_1", tenant="tenant_b"),
    ]

    await store.write(lambda session: session.remove(ObjectKind.THREAD, "thread_1"), tenant=TENANT)

    assert before == [[MESSAGE], [], []]
    assert await list_of_thread(store, "thread_1") == []
