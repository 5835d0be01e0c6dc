"""What every store knows of thread ids that were adopted or deleted."""

from __future__ import annotations

from tests.contract.store.single_transaction import TENANT
from threadbridge.ports import Session, Store, ThreadMark


async def put_marks(store: Store, *marks: tuple[str, ThreadMark], tenant: str = TENANT) -> None:
    def work(session: Session) -> None:
        for thread_id, mark in marks:
            session.put_thread_mark(thread_id, mark)

    await store.write(work, tenant=tenant)


async def test_the_last_mark_of_a_thread_counts(store: Store) -> None:
    await put_marks(store, ("thread_a", ThreadMark.ADOPTED), ("thread_b", ThreadMark.ADOPTED))
    await put_marks(store, ("thread_a", ThreadMark.DELETED))

    def read(session: Session) -> tuple[object, ...]:
        marks = [session.get_thread_mark(each) for each in ("thread_a", "thread_b", "thread_c")]
        return (*marks, session.count_thread_marks(ThreadMark.ADOPTED), session.count_thread_marks(ThreadMark.DELETED))

    assert await store.read(read, tenant=TENANT) == (ThreadMark.DELETED, ThreadMark.ADOPTED, None, 1, 1)


async def test_the_marks_of_another_tenant_are_not_seen(store: Store) -> None:
    await put_marks(store, ("thread_a", ThreadMark.DELETED), tenant="tenant_b")

    assert await store.read(lambda session: session.get_thread_mark("thread_a"), tenant=TENANT) is None
    assert await store.read(lambda session: session.count_thread_marks(ThreadMark.DELETED), tenant=TENANT) == 0
