"""What every store remembers of parameters that models refused."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contract.store.single_transaction import TENANT
from threadbridge.ports import Refusal, Session, Store


async def remember(store: Store, *refusals: Refusal, service: str = "here", most: int = 10) -> None:
    def work(session: Session) -> None:
        for refusal in refusals:
            session.add_refusal(service, refusal, most=most)

    await store.write(work, tenant=TENANT)


async def remembered(store: Store, service: str = "here", *, tenant: str = TENANT) -> Sequence[Refusal]:
    return await store.read(lambda session: session.refusals(service), tenant=tenant)


async def test_refusals_come_back_oldest_first_and_each_once_with_its_last_time(store: Store) -> None:
    await remember(store, Refusal("m", "top_p", 1.5), Refusal("m", "temperature", 2.5), Refusal("m", "top_p", 3.5))

    assert await remembered(store) == [Refusal("m", "temperature", 2.5), Refusal("m", "top_p", 3.5)]


async def test_beyond_the_bound_the_oldest_refusal_is_forgotten(store: Store) -> None:
    await remember(store, Refusal("a", "top_p", 2), Refusal("b", "top_p", 1), Refusal("c", "top_p", 3), most=2)

    assert await remembered(store) == [Refusal("a", "top_p", 2), Refusal("c", "top_p", 3)]


async def test_each_service_and_each_tenant_has_refusals_of_its_own(store: Store) -> None:
    await remember(store, Refusal("m", "top_p", 1))
    await remember(store, Refusal("m", "temperature", 2), service="there", most=1)

    assert await remembered(store) == [Refusal("m", "top_p", 1)]
    assert await remembered(store, "there") == [Refusal("m", "temperature", 2)]
    assert await remembered(store, tenant="tenant_b") == []
