"""What every store remembers of parameters that models refused."""

from __future__ import annotations

from collections.abc import Sequence

from tests.contract.store.single_transaction import TENANT
from threadbridge.ports import ParameterRejection, Session, Store


async def remember(store: Store, *refusals: ParameterRejection, service: str = "here", most: int = 10) -> None:
    def work(session: Session) -> None:
        for refusal in refusals:
            session.add_parameter_rejection(service, refusal, max_count=most)

    await store.write(work, tenant=TENANT)


async def remembered(store: Store, service: str = "here", *, tenant: str = TENANT) -> Sequence[ParameterRejection]:
    return await store.read(lambda session: session.list_parameter_rejections(service), tenant=tenant)


async def test_refusals_come_back_oldest_first_and_each_once_with_its_last_time(store: Store) -> None:
    await remember(
        store,
        ParameterRejection("m", "top_p", 1.5),
        ParameterRejection("m", "temperature", 2.5),
        ParameterRejection("m", "top_p", 3.5),
    )

    assert await remembered(store) == [
        ParameterRejection("m", "temperature", 2.5),
        ParameterRejection("m", "top_p", 3.5),
    ]


async def test_beyond_the_bound_the_oldest_refusal_is_forgotten(store: Store) -> None:
    await remember(
        store,
        ParameterRejection("a", "top_p", 2),
        ParameterRejection("b", "top_p", 1),
        ParameterRejection("c", "top_p", 3),
        most=2,
    )

    assert await remembered(store) == [ParameterRejection("a", "top_p", 2), ParameterRejection("c", "top_p", 3)]


async def test_each_service_and_each_tenant_has_refusals_of_its_own(store: Store) -> None:
    await remember(store, ParameterRejection("m", "top_p", 1))
    await remember(store, ParameterRejection("m", "temperature", 2), service="there", most=1)

    assert await remembered(store) == [ParameterRejection("m", "top_p", 1)]
    assert await remembered(store, "there") == [ParameterRejection("m", "temperature", 2)]
    assert await remembered(store, tenant="tenant_b") == []
