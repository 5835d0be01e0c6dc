"""What a store knows of runs: the one active run, turns, leases, and runs without a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from tests.contract.store.single_transaction import TENANT, add_objects, get_object
from tests.stored_objects import run
from threadbridge.api_types import UsageObject
from threadbridge.errors import Conflict
from threadbridge.ports import Lease, ObjectKind, Session, Store, Turn


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
async def test_a_second_active_run_of_a_thread_is_refused(store: Store, status: str) -> None:
    await add_objects(store, (ObjectKind.RUN, run(status=status)))

    with pytest.raises(Conflict, match=r"active run of thread_1"):
        await add_objects(store, (ObjectKind.RUN, run("run_2")))

    assert await store.read(lambda session: session.get_active_run("thread_1"), tenant=TENANT) == run(status=status)
    assert await get_object(store, ObjectKind.RUN, "run_2") is None


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "expired", "incomplete"])
async def test_an_ended_run_frees_its_thread(store: Store, status: str) -> None:
    await add_objects(store, (ObjectKind.RUN, run()))

    await store.write(lambda session: session.put(ObjectKind.RUN, run(status=status)), tenant=TENANT)

    assert await store.read(lambda session: session.get_active_run("thread_1"), tenant=TENANT) is None
    await add_objects(store, (ObjectKind.RUN, run("run_2")))


async def test_an_ended_run_cannot_come_back_beside_an_active_one(store: Store) -> None:
    await add_objects(store, (ObjectKind.RUN, run(status="completed")), (ObjectKind.RUN, run("run_2")))

    with pytest.raises(Conflict):
        await store.write(lambda session: session.put(ObjectKind.RUN, run()), tenant=TENANT)


async def test_runs_of_two_threads_do_not_lock_each_other(store: Store) -> None:
    await add_objects(store, (ObjectKind.RUN, run()), (ObjectKind.RUN, run("run_2", "thread_2")))

    assert await store.read(lambda session: session.get_active_run("thread_2"), tenant=TENANT) == run(
        "run_2", "thread_2"
    )


async def test_of_many_runs_started_at_once_on_a_thread_one_is_active(store: Store) -> None:
    starts = [add_objects(store, (ObjectKind.RUN, run(f"run_{n}"))) for n in range(20)]

    outcomes = await asyncio.gather(*starts, return_exceptions=True)

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19


USAGE: UsageObject = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
TURNS = [Turn(1, "resp_1", "req_1", "gpt-5", USAGE), Turn(2)]


async def test_turns_come_back_oldest_first(store: Store) -> None:
    def work(session: Session) -> None:
        for turn in reversed(TURNS):
            session.add_turn("run_1", turn)

    await store.write(work, tenant=TENANT)

    assert await store.read(lambda session: session.list_turns("run_1"), tenant=TENANT) == TURNS
    assert await store.read(lambda session: session.list_turns("run_2"), tenant=TENANT) == []


async def test_a_turn_is_recorded_once(store: Store) -> None:
    await store.write(lambda session: session.add_turn("run_1", TURNS[0]), tenant=TENANT)

    with pytest.raises(Conflict, match="Turn 1 of run_1"):
        await store.write(lambda session: session.add_turn("run_1", TURNS[0]), tenant=TENANT)


async def test_a_lease_is_taken_prolonged_and_given_back(store: Store) -> None:
    await add_objects(store, (ObjectKind.RUN, run()))
    leases = [None, Lease("worker_1", 10.25), Lease("worker_2", 1_800_000_000.5), None]

    async def after(lease: Lease | None) -> Lease | None:
        await store.write(lambda session: session.set_lease("run_1", lease), tenant=TENANT)
        return await store.read(lambda session: session.get_lease("run_1"), tenant=TENANT)

    assert [await after(lease) for lease in leases] == leases


async def test_an_unknown_run_has_no_lease_and_takes_none(store: Store) -> None:
    assert await store.read(lambda session: session.get_lease("run_1"), tenant=TENANT) is None
    with pytest.raises(KeyError):
        await store.write(lambda session: session.set_lease("run_1", Lease("worker_1", 1)), tenant=TENANT)


async def test_a_changed_run_keeps_its_lease(store: Store) -> None:
    await add_objects(store, (ObjectKind.RUN, run()))
    await store.write(lambda session: session.set_lease("run_1", Lease("worker_1", 10)), tenant=TENANT)

    await store.write(lambda session: session.put(ObjectKind.RUN, run(status="in_progress")), tenant=TENANT)

    assert await store.read(lambda session: session.get_lease("run_1"), tenant=TENANT) == Lease("worker_1", 10)


async def leased(store: Store, n: int, status: str, until: float | None, *, tenant: str = TENANT) -> None:
    await add_objects(store, (ObjectKind.RUN, run(f"run_{n}", f"thread_{n}", status=status)), tenant=tenant)
    lease = None if until is None else Lease("worker_1", until)
    await store.write(lambda session: session.set_lease(f"run_{n}", lease), tenant=tenant)


async def test_tenants_with_unfinished_runs_or_cleanup_intents_are_swept(store: Store) -> None:
    await leased(store, 1, "queued", None)
    await leased(store, 2, "in_progress", 99)
    await leased(store, 3, "in_progress", 99, tenant="tenant_b")
    await leased(store, 4, "in_progress", 101, tenant="tenant_c")
    await leased(store, 5, "requires_action", None, tenant="tenant_d")
    await leased(store, 6, "completed", None, tenant="tenant_e")
    await add_objects(store, (ObjectKind.CLEANUP_INTENT, {"id": "vs_1"}), tenant="tenant_f")
    await add_objects(store, (ObjectKind.CLEANUP_INTENT, {"id": "vs_1"}), tenant="tenant_b")

    def tenants(limit: int, after: str | None = None) -> Callable[[Session], Sequence[str]]:
        return lambda session: session.list_tenants_to_sweep(lease_expired_before=100, limit=limit, after=after)

    assert await store.read(tenants(10), tenant=TENANT) == [TENANT, "tenant_b", "tenant_f"]
    assert await store.read(tenants(2), tenant="tenant_x") == [TENANT, "tenant_b"]
    assert await store.read(tenants(2, after="tenant_b"), tenant=TENANT) == ["tenant_f"]


async def test_unfinished_runs_are_those_that_need_a_worker_and_have_none(store: Store) -> None:
    await leased(store, 1, "queued", None)
    await leased(store, 2, "in_progress", 99, tenant="tenant_b")
    await leased(store, 3, "cancelling", 50)
    await leased(store, 4, "in_progress", 101)
    await leased(store, 5, "requires_action", None)
    await leased(store, 6, "completed", None)

    def unfinished(limit: int) -> Callable[[Session], Sequence[str]]:
        return lambda session: session.list_unfinished_runs(lease_expired_before=100, limit=limit)

    assert await store.read(unfinished(10), tenant=TENANT) == ["run_1", "run_3"]
    assert await store.read(unfinished(1), tenant=TENANT) == ["run_1"]
    assert await store.read(unfinished(10), tenant="tenant_b") == ["run_2"]


async def test_unfinished_runs_continue_after_a_run_and_include_leases_that_end_too_late(store: Store) -> None:
    await leased(store, 1, "queued", None)
    await leased(store, 2, "in_progress", 500)
    await leased(store, 3, "in_progress", 101)
    await leased(store, 4, "in_progress", 131)

    def unfinished(limit: int, after: str | None) -> Callable[[Session], Sequence[str]]:
        return lambda session: session.list_unfinished_runs(
            lease_expired_before=100, latest_expiry=130, limit=limit, after=after
        )

    assert await store.read(unfinished(10, None), tenant=TENANT) == ["run_1", "run_2", "run_4"]
    assert await store.read(unfinished(2, None), tenant=TENANT) == ["run_1", "run_2"]
    assert await store.read(unfinished(2, "run_2"), tenant=TENANT) == ["run_4"]
