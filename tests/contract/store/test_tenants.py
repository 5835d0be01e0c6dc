"""Another tenant's rows are simply not there, whatever is asked."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.store.single_transaction import KINDS, TENANT, add_objects, get_object
from tests.stored_objects import ONE_OF_EACH, call, thread
from threadbridge.api_types import JsonMapping
from threadbridge.ports import Lease, ObjectKind, Page, ParameterRejection, Session, Store, Turn

Look = Callable[[Session], object]
NO_PAGE: Page[JsonMapping] = Page([], has_more=False)


def getting(kind: ObjectKind) -> Look:
    return lambda session: session.get(kind, ONE_OF_EACH[kind]["id"])


def paging(kind: ObjectKind) -> Look:
    return lambda session: session.get_page(kind, limit=5, order="asc")


def putting(kind: ObjectKind) -> Look:
    return lambda session: session.put(kind, ONE_OF_EACH[kind])


#: Every reading method, with what it says where nothing is.
LOOKS: dict[str, tuple[Look, object]] = {
    **{f"get {kind}": (getting(kind), None) for kind in KINDS},
    **{f"page {kind}": (paging(kind), NO_PAGE) for kind in KINDS},
    "page of a thread": (
        lambda session: session.get_page(ObjectKind.MESSAGE, limit=5, order="asc", thread_id="thread_1"),
        NO_PAGE,
    ),
    "page of a run": (lambda session: session.get_page(ObjectKind.STEP, limit=5, order="asc", run_id="run_1"), NO_PAGE),
    "active_run": (lambda session: session.get_active_run("thread_1"), None),
    "timeline": (lambda session: session.list_entries("thread_1"), []),
    "timeline of the newest": (lambda session: session.list_entries("thread_1", last_messages=1), []),
    "items": (lambda session: session.list_run_items("run_1"), []),
    "turns": (lambda session: session.list_turns("run_1"), []),
    "refusals": (lambda session: session.list_parameter_rejections("service_1"), []),
    "lease": (lambda session: session.get_lease("run_1"), None),
}

#: Every changing method that needs what it changes.
CHANGES: dict[str, Look] = {
    **{f"put {kind}": putting(kind) for kind in KINDS},
    "set_lease": lambda session: session.set_lease("run_1", None),
}


@pytest.fixture
async def shared(store: Store) -> Store:
    """A store in which `tenant_a` has one of everything."""
    await add_objects(store, *ONE_OF_EACH.items())
    await store.write(lambda session: session.append_entries("thread_1", [call()]), tenant=TENANT)
    await store.write(lambda session: session.add_turn("run_1", Turn(1)), tenant=TENANT)
    await store.write(lambda session: session.set_lease("run_1", Lease("worker_1", 5)), tenant=TENANT)
    await store.write(
        lambda session: session.add_parameter_rejection("service_1", ParameterRejection("m", "top_p", 1), max_count=1),
        tenant=TENANT,
    )
    return store


@pytest.mark.parametrize("look", LOOKS)
async def test_another_tenants_rows_are_not_there(shared: Store, look: str) -> None:
    work, nothing = LOOKS[look]

    assert await shared.read(work, tenant="tenant_b") == nothing
    assert await shared.read(work, tenant=TENANT) != nothing


@pytest.mark.parametrize("change", CHANGES)
async def test_another_tenants_rows_cannot_be_changed(shared: Store, change: str) -> None:
    with pytest.raises(KeyError):
        await shared.write(CHANGES[change], tenant="tenant_b")


@pytest.mark.parametrize("kind", KINDS)
async def test_another_tenants_objects_cannot_be_removed(shared: Store, kind: ObjectKind) -> None:
    removed = await shared.write(lambda session: session.remove(kind, ONE_OF_EACH[kind]["id"]), tenant="tenant_b")

    assert removed is False
    assert await get_object(shared, kind, ONE_OF_EACH[kind]["id"]) == ONE_OF_EACH[kind]


async def test_a_cursor_of_another_tenant_is_unknown(shared: Store) -> None:
    await add_objects(shared, (ObjectKind.THREAD, thread("thread_b")), tenant="tenant_b")

    page = await shared.read(
        lambda session: session.get_page(ObjectKind.THREAD, limit=5, order="asc", after="thread_1"), tenant="tenant_b"
    )

    assert page == Page([], has_more=False)


async def test_two_tenants_may_use_the_same_ids(shared: Store) -> None:
    await add_objects(shared, *ONE_OF_EACH.items(), tenant="tenant_b")
    await shared.write(lambda session: session.add_turn("run_1", Turn(1, "resp_b")), tenant="tenant_b")

    await shared.write(lambda session: session.remove(ObjectKind.THREAD, "thread_1"), tenant="tenant_b")

    assert await get_object(shared, ObjectKind.STEP, "step_1") == ONE_OF_EACH[ObjectKind.STEP]
    assert await shared.read(lambda session: session.list_turns("run_1"), tenant=TENANT) == [Turn(1)]
