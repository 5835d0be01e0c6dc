"""What every store sums up of what was spent."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contract.store.single_transaction import TENANT, add_objects
from tests.stored_objects import run, thread
from threadbridge.ports import ObjectKind, Session, SpendByKey, SpendScope, SpendTotals, Store, Turn

ONE = SpendTotals(turns=1, prompt_tokens=100, cached_tokens=40, completion_tokens=10, reasoning_tokens=5, nanodollars=7)
UNPRICED = SpendTotals(turns=1, unpriced=1, prompt_tokens=1, completion_tokens=1)
TWICE = SpendTotals(
    turns=2, prompt_tokens=200, cached_tokens=80, completion_tokens=20, reasoning_tokens=10, nanodollars=14
)


async def spend(store: Store, day: int, spent: SpendTotals, **keys: str) -> None:
    named = {SpendScope(scope): key for scope, key in keys.items()}
    await store.write(lambda session: session.add_spending(day, spent, named), tenant=TENANT)


async def spending(
    store: Store,
    scope: SpendScope,
    *,
    since: int = 0,
    until: int | None = None,
    key: str | None = None,
    tenant: str = TENANT,
) -> Sequence[SpendByKey]:
    return await store.read(
        lambda session: session.list_spending(scope, since=since, until=until, key=key), tenant=tenant
    )


async def test_what_is_spent_is_added_to_each_of_its_keys(store: Store) -> None:
    await spend(store, 1, ONE, thread="thread_1", model="m")
    await spend(store, 1, ONE, thread="thread_2", model="m")

    threads, models = await spending(store, SpendScope.THREAD), await spending(store, SpendScope.MODEL)

    assert threads == [SpendByKey("thread_1", ONE), SpendByKey("thread_2", ONE)]
    assert models == [SpendByKey("m", TWICE)]
    assert await spending(store, SpendScope.ASSISTANT) == []


async def test_days_are_counted_from_one_to_the_other(store: Store) -> None:
    await spend(store, 1, UNPRICED, thread="thread_1")
    await spend(store, 2, ONE, thread="thread_1")
    await spend(store, 3, ONE, thread="thread_1")

    assert await spending(store, SpendScope.THREAD, since=2) == [SpendByKey("thread_1", TWICE)]
    assert await spending(store, SpendScope.THREAD, since=4) == []
    assert await spending(store, SpendScope.THREAD, since=1, until=1) == [SpendByKey("thread_1", UNPRICED)]
    assert await spending(store, SpendScope.THREAD, until=0) == []


async def test_one_key_is_found_among_many(store: Store) -> None:
    await spend(store, 1, ONE, thread="thread_1")
    await spend(store, 1, UNPRICED, thread="thread_2")

    assert await spending(store, SpendScope.THREAD, key="thread_2") == [SpendByKey("thread_2", UNPRICED)]
    assert await spending(store, SpendScope.THREAD, key="thread_3") == []


async def test_a_tenant_sees_its_own_spending_only(store: Store) -> None:
    await store.write(lambda session: session.add_spending(1, ONE, {SpendScope.TENANT: ""}), tenant="other")

    assert await spending(store, SpendScope.TENANT) == []
    assert await spending(store, SpendScope.TENANT, tenant="other") == [SpendByKey("", ONE)]


async def test_sums_outlive_the_thread_the_money_was_spent_on(store: Store) -> None:
    await add_objects(store, (ObjectKind.THREAD, thread()), (ObjectKind.RUN, run()))
    await spend(store, 1, ONE, thread="thread_1")

    await store.write(lambda session: session.remove(ObjectKind.THREAD, "thread_1"), tenant=TENANT)

    assert await spending(store, SpendScope.THREAD) == [SpendByKey("thread_1", ONE)]


async def test_a_turn_keeps_its_price_or_that_it_has_none(store: Store) -> None:
    priced, unpriced = (
        Turn(1, usage={"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}, nanodollars=12),
        Turn(2),
    )

    def work(session: Session) -> Sequence[Turn]:
        session.add(ObjectKind.RUN, run())
        session.add_turn("run_1", priced)
        session.add_turn("run_1", unpriced)
        return session.list_turns("run_1")

    assert await store.write(work, tenant=TENANT) == [priced, unpriced]
