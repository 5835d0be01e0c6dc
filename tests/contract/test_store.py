"""What every store promises (`ports.Store`, `ports.Session`). A new store is one more line in STORES."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from itertools import product
from pathlib import Path
from typing import Literal

import pytest

from tests.stored_objects import ONE_OF_EACH, assistant, call, message, run, step, thread
from threadbridge.errors import Conflict, StoreError
from threadbridge.ports import Entry, Kind, Lease, Page, Session, Store, Turn, Wire
from threadbridge_adapters.stores import open_store

STORES: dict[str, Callable[[Path], str]] = {
    "sqlite-file": lambda tmp: f"sqlite:///{tmp / 'threads.db'}",
    "sqlite-memory": lambda _: ":memory:",
}

TENANT = "tenant_a"
KINDS = list(Kind)


@pytest.fixture(params=STORES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return STORES[request.param](tmp_path)


@pytest.fixture
async def store(url: str) -> AsyncIterator[Store]:
    opened = await open_store(url)
    yield opened
    await opened.aclose()


async def add_all(store: Store, *objects: tuple[Kind, Wire], tenant: str = TENANT) -> None:
    def work(session: Session) -> None:
        for kind, body in objects:
            session.add(kind, body)

    await store.write(work, tenant=tenant)


async def get(store: Store, kind: Kind, object_id: str, *, tenant: str = TENANT) -> Wire | None:
    return await store.read(lambda session: session.get(kind, object_id), tenant=tenant)


# -- Objects -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
async def test_an_object_comes_back_key_for_key(store: Store, kind: Kind) -> None:
    body: Wire = {**ONE_OF_EACH[kind], "z": None, "a": {"z": 1, "a": [1.5, True]}}
    await add_all(store, (kind, body))

    found = await get(store, kind, body["id"])

    assert found == body
    assert list(found or ()) == list(body)


@pytest.mark.parametrize("kind", KINDS)
async def test_what_a_caller_does_to_an_object_changes_nothing_stored(store: Store, kind: Kind) -> None:
    body = ONE_OF_EACH[kind]
    await add_all(store, (kind, body))

    await store.read(lambda session: (session.get(kind, body["id"]) or {}).clear(), tenant=TENANT)

    assert await get(store, kind, body["id"]) == body


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unknown_object_is_none_and_cannot_be_put_or_removed(store: Store, kind: Kind) -> None:
    body = ONE_OF_EACH[kind]

    found = await get(store, kind, body["id"])
    removed = await store.write(lambda session: session.remove(kind, body["id"]), tenant=TENANT)

    assert found is None
    assert removed is False
    with pytest.raises(KeyError):
        await store.write(lambda session: session.put(kind, body), tenant=TENANT)


@pytest.mark.parametrize("kind", KINDS)
async def test_an_object_is_replaced_and_keeps_its_place(store: Store, kind: Kind) -> None:
    first = ONE_OF_EACH[kind]
    changed = {**first, "metadata": {"k": "v"}}
    await add_all(store, (kind, first), (kind, {**first, "id": "second", "status": "completed"}))

    await store.write(lambda session: session.put(kind, changed), tenant=TENANT)

    page = await store.read(lambda session: session.page(kind, limit=1, order="asc"), tenant=TENANT)
    assert page.data == [changed]


@pytest.mark.parametrize("kind", KINDS)
async def test_a_removed_object_is_gone_and_its_id_is_free(store: Store, kind: Kind) -> None:
    body = ONE_OF_EACH[kind]
    await add_all(store, (kind, body))

    removed = await store.write(lambda session: session.remove(kind, body["id"]), tenant=TENANT)

    assert removed is True
    assert await get(store, kind, body["id"]) is None
    await add_all(store, (kind, body))


@pytest.mark.parametrize("kind", KINDS)
async def test_an_id_is_taken_once(store: Store, kind: Kind) -> None:
    body = {**ONE_OF_EACH[kind], "status": "completed"}
    await add_all(store, (kind, body))

    with pytest.raises(Conflict, match=body["id"]):
        await add_all(store, (kind, {**body, "changed": True}))

    assert await get(store, kind, body["id"]) == body


@pytest.mark.parametrize("text", ["ünïcödé 🧵 \u0000 \u2028 'quotes\" %s :name ?", "x" * 4_000_000], ids=["odd", "big"])
async def test_any_text_comes_back_as_it_went_in(store: Store, text: str) -> None:
    await add_all(store, (Kind.MESSAGE, message(text=text)))

    assert await get(store, Kind.MESSAGE, "msg_1") == message(text=text)


@pytest.mark.parametrize("value", ["\ud800", 2**70], ids=["half a surrogate pair", "a huge integer"])
async def test_what_json_cannot_carry_is_refused_and_nothing_is_kept(store: Store, value: object) -> None:
    with pytest.raises(StoreError, match="thread_1 cannot be stored as JSON"):
        await add_all(store, (Kind.THREAD, {**thread(), "metadata": {"k": value}}))

    assert await get(store, Kind.THREAD, "thread_1") is None


# -- Pages ---------------------------------------------------------------------------------------------------------

Order = Literal["asc", "desc"]


def model_page(ids: Sequence[str], limit: int, order: Order, after: str | None, before: str | None) -> Page:
    """What a page must be, on a plain list."""
    shown = list(ids) if order == "asc" else list(reversed(ids))
    start = 0 if after is None else shown.index(after) + 1
    end = len(shown) if before is None else shown.index(before)
    between = shown[start:end] if start <= end else []
    nearest = between[-limit:] if before is not None and after is None else between[:limit]
    return Page([{"id": id_} for id_ in nearest], has_more=len(between) > limit)


def ids_of(page: Page) -> list[str]:
    return [body["id"] for body in page.data]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_page_is_the_one_a_plain_list_gives(store: Store, kind: Kind) -> None:
    ids = [f"id_{n}" for n in (3, 1, 4, 0, 2)]
    await add_all(store, *((kind, {**ONE_OF_EACH[kind], "id": id_, "status": "completed"}) for id_ in ids))
    orders: tuple[Order, ...] = ("asc", "desc")
    shapes = list(product((1, 2, 4, 5, 6), orders, (None, *ids), (None, *ids)))

    def pages(session: Session) -> list[Page]:
        return [
            session.page(kind, limit=limit, order=order, after=after, before=before)
            for limit, order, after, before in shapes
        ]

    found = await store.read(pages, tenant=TENANT)

    expected = [model_page(ids, *shape) for shape in shapes]
    assert [(ids_of(page), page.has_more) for page in found] == [(ids_of(page), page.has_more) for page in expected]


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unknown_cursor_gives_an_empty_page(store: Store, kind: Kind) -> None:
    await add_all(store, (kind, ONE_OF_EACH[kind]))

    def pages(session: Session) -> list[Page]:
        return [
            session.page(kind, limit=5, order="asc", after="nobody"),
            session.page(kind, limit=5, order="desc", before="nobody"),
        ]

    assert await store.read(pages, tenant=TENANT) == [Page([], has_more=False)] * 2


async def two_threads(store: Store) -> None:
    """Messages, runs and steps of two threads, one after the other in turn."""
    for n in range(4):
        of = f"thread_{n % 2}"
        await add_all(
            store,
            (Kind.MESSAGE, message(f"msg_{n}", of, run_id=f"run_{n % 2}")),
            (Kind.MESSAGE, message(f"msg_{n}_user", of)),
            (Kind.RUN, run(f"run_{n}", of, status="completed")),
            (Kind.STEP, step(f"step_{n}", of, f"run_{n % 2}")),
        )


@pytest.mark.parametrize(
    ("kind", "ids"),
    [
        (Kind.MESSAGE, ["msg_1", "msg_1_user", "msg_3", "msg_3_user"]),
        (Kind.RUN, ["run_1", "run_3"]),
        (Kind.STEP, ["step_1", "step_3"]),
    ],
)
async def test_a_page_of_one_thread_has_no_other(store: Store, kind: Kind, ids: list[str]) -> None:
    await two_threads(store)

    page = await store.read(
        lambda session: session.page(kind, limit=9, order="asc", thread_id="thread_1"), tenant=TENANT
    )

    assert ids_of(page) == ids


@pytest.mark.parametrize(
    ("kind", "thread_id", "ids"),
    [
        (Kind.MESSAGE, "thread_1", ["msg_1", "msg_3"]),
        (Kind.MESSAGE, None, ["msg_1", "msg_3"]),
        (Kind.MESSAGE, "thread_0", []),
        (Kind.STEP, "thread_1", ["step_1", "step_3"]),
        (Kind.STEP, None, ["step_1", "step_3"]),
        (Kind.STEP, "thread_0", []),
    ],
)
async def test_a_page_of_one_run_has_no_other(store: Store, kind: Kind, thread_id: str | None, ids: list[str]) -> None:
    await two_threads(store)

    page = await store.read(
        lambda session: session.page(kind, limit=9, order="asc", thread_id=thread_id, run_id="run_1"), tenant=TENANT
    )

    assert ids_of(page) == ids


async def test_a_cursor_of_another_thread_is_unknown(store: Store) -> None:
    await two_threads(store)

    page = await store.read(
        lambda session: session.page(Kind.MESSAGE, limit=9, order="asc", after="msg_0", thread_id="thread_1"),
        tenant=TENANT,
    )

    assert page == Page([], has_more=False)


async def test_what_is_no_message_is_on_no_page_of_messages(store: Store) -> None:
    await store.write(
        lambda session: session.append("thread_1", [call("c1"), Entry(message=message()), call("c2")]), tenant=TENANT
    )

    page = await store.read(lambda session: session.page(Kind.MESSAGE, limit=1, order="desc"), tenant=TENANT)

    assert page == Page([message()], has_more=False)


# -- The one active run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["queued", "in_progress", "requires_action", "cancelling"])
async def test_a_second_active_run_of_a_thread_is_refused(store: Store, status: str) -> None:
    await add_all(store, (Kind.RUN, run(status=status)))

    with pytest.raises(Conflict, match=r"active run of thread_1"):
        await add_all(store, (Kind.RUN, run("run_2")))

    assert await store.read(lambda session: session.active_run("thread_1"), tenant=TENANT) == run(status=status)
    assert await get(store, Kind.RUN, "run_2") is None


@pytest.mark.parametrize("status", ["completed", "failed", "cancelled", "expired", "incomplete"])
async def test_an_ended_run_frees_its_thread(store: Store, status: str) -> None:
    await add_all(store, (Kind.RUN, run()))

    await store.write(lambda session: session.put(Kind.RUN, run(status=status)), tenant=TENANT)

    assert await store.read(lambda session: session.active_run("thread_1"), tenant=TENANT) is None
    await add_all(store, (Kind.RUN, run("run_2")))


async def test_an_ended_run_cannot_come_back_beside_an_active_one(store: Store) -> None:
    await add_all(store, (Kind.RUN, run(status="completed")), (Kind.RUN, run("run_2")))

    with pytest.raises(Conflict):
        await store.write(lambda session: session.put(Kind.RUN, run()), tenant=TENANT)


async def test_runs_of_two_threads_do_not_lock_each_other(store: Store) -> None:
    await add_all(store, (Kind.RUN, run()), (Kind.RUN, run("run_2", "thread_2")))

    assert await store.read(lambda session: session.active_run("thread_2"), tenant=TENANT) == run("run_2", "thread_2")


async def test_of_many_runs_started_at_once_on_a_thread_one_is_active(store: Store) -> None:
    starts = [add_all(store, (Kind.RUN, run(f"run_{n}"))) for n in range(20)]

    outcomes = await asyncio.gather(*starts, return_exceptions=True)

    assert outcomes.count(None) == 1
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 19


# -- Timeline ------------------------------------------------------------------------------------------------------

ANSWER = Entry(message=message("msg_2", run_id="run_1"), item={"type": "message", "id": "item_2"}, run_id="run_1")
TIMELINE = [
    Entry(message=message("msg_1")),
    call("call_1"),
    Entry(item={"type": "function_call_output", "call_id": "call_1", "output": "4"}, run_id="run_1"),
    ANSWER,
    Entry(message=message("msg_3")),
]


@pytest.fixture
async def told(store: Store) -> Store:
    """A store with one timeline, written in two goes."""
    await store.write(lambda session: session.append("thread_1", TIMELINE[:2]), tenant=TENANT)
    await store.write(lambda session: session.append("thread_1", TIMELINE[2:]), tenant=TENANT)
    await store.write(lambda session: session.append("thread_2", [Entry(message=message("msg_x"))]), tenant=TENANT)
    return store


@pytest.mark.parametrize(("last_messages", "first"), [(None, 0), (0, 5), (1, 4), (2, 3), (3, 0), (4, 0), (1000, 0)])
async def test_a_timeline_starts_at_the_nth_newest_message(told: Store, last_messages: int | None, first: int) -> None:
    entries = await told.read(lambda session: session.timeline("thread_1", last_messages=last_messages), tenant=TENANT)

    assert entries == TIMELINE[first:]


async def test_an_unknown_thread_has_an_empty_timeline(told: Store) -> None:
    assert await told.read(lambda session: session.timeline("thread_9"), tenant=TENANT) == []
    assert await told.read(lambda session: session.timeline("thread_9", last_messages=3), tenant=TENANT) == []


async def test_a_message_of_the_timeline_is_found_by_id_and_by_run(told: Store) -> None:
    page = await told.read(
        lambda session: session.page(Kind.MESSAGE, limit=9, order="asc", thread_id="thread_1", run_id="run_1"),
        tenant=TENANT,
    )

    assert await get(told, Kind.MESSAGE, "msg_2") == ANSWER.message
    assert page.data == [ANSWER.message]


async def test_an_added_message_joins_the_timeline(told: Store) -> None:
    await add_all(told, (Kind.MESSAGE, message("msg_4", run_id="run_7")))

    entries = await told.read(lambda session: session.timeline("thread_1"), tenant=TENANT)

    assert entries == [*TIMELINE, Entry(message=message("msg_4", run_id="run_7"), run_id="run_7")]


async def test_a_changed_message_changes_in_the_timeline_and_keeps_its_item(told: Store) -> None:
    changed = message("msg_2", run_id="run_1", text="changed")

    await told.write(lambda session: session.put(Kind.MESSAGE, changed), tenant=TENANT)

    entries = await told.read(lambda session: session.timeline("thread_1", last_messages=2), tenant=TENANT)
    assert entries == [Entry(changed, ANSWER.item, "run_1"), TIMELINE[4]]


async def test_a_removed_message_leaves_the_timeline_with_its_item(told: Store) -> None:
    await told.write(lambda session: session.remove(Kind.MESSAGE, "msg_2"), tenant=TENANT)

    entries = await told.read(lambda session: session.timeline("thread_1"), tenant=TENANT)
    items = await told.read(lambda session: session.items("run_1"), tenant=TENANT)

    assert entries == [*TIMELINE[:3], TIMELINE[4]]
    assert items == [TIMELINE[1].item, TIMELINE[2].item]


async def test_the_items_of_a_run_come_oldest_first(told: Store) -> None:
    items = await told.read(lambda session: session.items("run_1"), tenant=TENANT)

    assert items == [TIMELINE[1].item, TIMELINE[2].item, ANSWER.item]


async def test_a_message_is_appended_once_and_a_refused_append_adds_nothing(told: Store) -> None:
    with pytest.raises(Conflict, match="msg_3"):
        await told.write(
            lambda session: session.append("thread_1", [call("call_9"), Entry(message=message("msg_3"))]),
            tenant=TENANT,
        )

    assert await told.read(lambda session: session.timeline("thread_1"), tenant=TENANT) == TIMELINE


async def test_appending_nothing_is_allowed(told: Store) -> None:
    await told.write(lambda session: session.append("thread_1", []), tenant=TENANT)

    assert await told.read(lambda session: session.timeline("thread_1"), tenant=TENANT) == TIMELINE


# -- Turns and leases ----------------------------------------------------------------------------------------------

USAGE: Wire = {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}
TURNS = [Turn(1, "resp_1", "req_1", "gpt-5", USAGE), Turn(2)]


async def test_turns_come_back_oldest_first(store: Store) -> None:
    def work(session: Session) -> None:
        for turn in reversed(TURNS):
            session.add_turn("run_1", turn)

    await store.write(work, tenant=TENANT)

    assert await store.read(lambda session: session.turns("run_1"), tenant=TENANT) == TURNS
    assert await store.read(lambda session: session.turns("run_2"), tenant=TENANT) == []


async def test_a_turn_is_recorded_once(store: Store) -> None:
    await store.write(lambda session: session.add_turn("run_1", TURNS[0]), tenant=TENANT)

    with pytest.raises(Conflict, match="Turn 1 of run_1"):
        await store.write(lambda session: session.add_turn("run_1", TURNS[0]), tenant=TENANT)


async def test_a_lease_is_taken_prolonged_and_given_back(store: Store) -> None:
    await add_all(store, (Kind.RUN, run()))
    leases = [None, Lease("worker_1", 10.25), Lease("worker_2", 1_800_000_000.5), None]

    async def after(lease: Lease | None) -> Lease | None:
        await store.write(lambda session: session.set_lease("run_1", lease), tenant=TENANT)
        return await store.read(lambda session: session.lease("run_1"), tenant=TENANT)

    assert [await after(lease) for lease in leases] == leases


async def test_an_unknown_run_has_no_lease_and_takes_none(store: Store) -> None:
    assert await store.read(lambda session: session.lease("run_1"), tenant=TENANT) is None
    with pytest.raises(KeyError):
        await store.write(lambda session: session.set_lease("run_1", Lease("worker_1", 1)), tenant=TENANT)


async def test_a_changed_run_keeps_its_lease(store: Store) -> None:
    await add_all(store, (Kind.RUN, run()))
    await store.write(lambda session: session.set_lease("run_1", Lease("worker_1", 10)), tenant=TENANT)

    await store.write(lambda session: session.put(Kind.RUN, run(status="in_progress")), tenant=TENANT)

    assert await store.read(lambda session: session.lease("run_1"), tenant=TENANT) == Lease("worker_1", 10)


async def leased(store: Store, n: int, status: str, until: float | None, *, tenant: str = TENANT) -> None:
    await add_all(store, (Kind.RUN, run(f"run_{n}", f"thread_{n}", status=status)), tenant=tenant)
    lease = None if until is None else Lease("worker_1", until)
    await store.write(lambda session: session.set_lease(f"run_{n}", lease), tenant=tenant)


async def test_unfinished_runs_are_those_that_need_a_worker_and_have_none(store: Store) -> None:
    await leased(store, 1, "queued", None)
    await leased(store, 2, "in_progress", 99, tenant="tenant_b")
    await leased(store, 3, "cancelling", 50)
    await leased(store, 4, "in_progress", 101)
    await leased(store, 5, "requires_action", None)
    await leased(store, 6, "completed", None)

    found = await store.unfinished_runs(lapsed_before=100, limit=10)
    first = await store.unfinished_runs(lapsed_before=100, limit=2)

    assert found == [(TENANT, "run_1"), ("tenant_b", "run_2"), (TENANT, "run_3")]
    assert first == found[:2]


# -- Threads take their own along ----------------------------------------------------------------------------------


def fill_threads(session: Session, *numbers: int) -> None:
    for n in numbers:
        of = f"thread_{n}"
        session.add(Kind.THREAD, thread(of))
        session.add(Kind.RUN, run(f"run_{n}", of))
        session.add(Kind.STEP, step(f"step_{n}", of, f"run_{n}"))
        session.append(of, [Entry(message=message(f"msg_{n}", of)), call(run_id=f"run_{n}")])
        session.add_turn(f"run_{n}", Turn(1))


def everything(session: Session, n: int) -> list[object]:
    return [
        session.get(Kind.THREAD, f"thread_{n}"),
        session.get(Kind.RUN, f"run_{n}"),
        session.get(Kind.STEP, f"step_{n}"),
        session.get(Kind.MESSAGE, f"msg_{n}"),
        session.active_run(f"thread_{n}"),
        session.timeline(f"thread_{n}"),
        session.items(f"run_{n}"),
        session.turns(f"run_{n}"),
    ]


async def test_a_removed_thread_takes_everything_of_its_own_and_nothing_else(store: Store) -> None:
    await store.write(lambda session: fill_threads(session, 1, 2), tenant=TENANT)
    await store.write(lambda session: fill_threads(session, 1), tenant="tenant_b")
    before = await store.read(lambda session: everything(session, 2), tenant=TENANT)

    await store.write(lambda session: session.remove(Kind.THREAD, "thread_1"), tenant=TENANT)

    assert not any(await store.read(lambda session: everything(session, 1), tenant=TENANT))
    assert await store.read(lambda session: everything(session, 2), tenant=TENANT) == before
    assert all(await store.read(lambda session: everything(session, 1), tenant="tenant_b"))
    await store.write(lambda session: fill_threads(session, 1), tenant=TENANT)


async def test_a_removed_run_takes_its_turns_along(store: Store) -> None:
    await store.write(lambda session: fill_threads(session, 1, 2), tenant=TENANT)

    await store.write(lambda session: session.remove(Kind.RUN, "run_1"), tenant=TENANT)

    assert await store.read(lambda session: session.turns("run_1"), tenant=TENANT) == []
    assert await store.read(lambda session: session.turns("run_2"), tenant=TENANT) == [Turn(1)]


# -- Tenants -------------------------------------------------------------------------------------------------------

Look = Callable[[Session], object]
NO_PAGE = Page([], has_more=False)


def getting(kind: Kind) -> Look:
    return lambda session: session.get(kind, ONE_OF_EACH[kind]["id"])


def paging(kind: Kind) -> Look:
    return lambda session: session.page(kind, limit=5, order="asc")


def putting(kind: Kind) -> Look:
    return lambda session: session.put(kind, ONE_OF_EACH[kind])


#: Every reading method, with what it says where nothing is.
LOOKS: dict[str, tuple[Look, object]] = {
    **{f"get {kind}": (getting(kind), None) for kind in KINDS},
    **{f"page {kind}": (paging(kind), NO_PAGE) for kind in KINDS},
    "page of a thread": (
        lambda session: session.page(Kind.MESSAGE, limit=5, order="asc", thread_id="thread_1"),
        NO_PAGE,
    ),
    "page of a run": (lambda session: session.page(Kind.STEP, limit=5, order="asc", run_id="run_1"), NO_PAGE),
    "active_run": (lambda session: session.active_run("thread_1"), None),
    "timeline": (lambda session: session.timeline("thread_1"), []),
    "timeline of the newest": (lambda session: session.timeline("thread_1", last_messages=1), []),
    "items": (lambda session: session.items("run_1"), []),
    "turns": (lambda session: session.turns("run_1"), []),
    "lease": (lambda session: session.lease("run_1"), None),
}

#: Every changing method that needs what it changes.
CHANGES: dict[str, Look] = {
    **{f"put {kind}": putting(kind) for kind in KINDS},
    "set_lease": lambda session: session.set_lease("run_1", None),
}


@pytest.fixture
async def shared(store: Store) -> Store:
    """A store in which `tenant_a` has one of everything."""
    await add_all(store, *ONE_OF_EACH.items())
    await store.write(lambda session: session.append("thread_1", [call()]), tenant=TENANT)
    await store.write(lambda session: session.add_turn("run_1", Turn(1)), tenant=TENANT)
    await store.write(lambda session: session.set_lease("run_1", Lease("worker_1", 5)), tenant=TENANT)
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
async def test_another_tenants_objects_cannot_be_removed(shared: Store, kind: Kind) -> None:
    removed = await shared.write(lambda session: session.remove(kind, ONE_OF_EACH[kind]["id"]), tenant="tenant_b")

    assert removed is False
    assert await get(shared, kind, ONE_OF_EACH[kind]["id"]) == ONE_OF_EACH[kind]


async def test_a_cursor_of_another_tenant_is_unknown(shared: Store) -> None:
    await add_all(shared, (Kind.THREAD, thread("thread_b")), tenant="tenant_b")

    page = await shared.read(
        lambda session: session.page(Kind.THREAD, limit=5, order="asc", after="thread_1"), tenant="tenant_b"
    )

    assert page == Page([], has_more=False)


async def test_two_tenants_may_use_the_same_ids(shared: Store) -> None:
    await add_all(shared, *ONE_OF_EACH.items(), tenant="tenant_b")
    await shared.write(lambda session: session.add_turn("run_1", Turn(1, "resp_b")), tenant="tenant_b")

    await shared.write(lambda session: session.remove(Kind.THREAD, "thread_1"), tenant="tenant_b")

    assert await get(shared, Kind.STEP, "step_1") == ONE_OF_EACH[Kind.STEP]
    assert await shared.read(lambda session: session.turns("run_1"), tenant=TENANT) == [Turn(1)]


# -- Transactions --------------------------------------------------------------------------------------------------


class Refusal(Exception):
    """Raised by the work itself."""


async def test_work_that_raises_changes_nothing_and_its_own_exception_arrives(store: Store) -> None:
    refusal = Refusal()

    def work(session: Session) -> None:
        session.add(Kind.THREAD, thread())
        raise refusal

    with pytest.raises(Refusal) as raised:
        await store.write(work, tenant=TENANT)

    assert raised.value is refusal
    assert await get(store, Kind.THREAD, "thread_1") is None


async def test_a_read_that_raises_leaves_the_store_usable(store: Store) -> None:
    def work(session: Session) -> None:
        session.get(Kind.THREAD, "thread_1")
        raise StopIteration

    with pytest.raises(RuntimeError, match="StopIteration"):
        await store.read(work, tenant=TENANT)

    assert await get(store, Kind.THREAD, "thread_1") is None


async def test_a_transaction_sees_its_own_changes(store: Store) -> None:
    def work(session: Session) -> Wire | None:
        session.add(Kind.ASSISTANT, assistant())
        return session.get(Kind.ASSISTANT, "asst_1")

    assert await store.write(work, tenant=TENANT) == assistant()


async def test_a_reading_transaction_cannot_write(store: Store) -> None:
    with pytest.raises(StoreError):
        await store.read(lambda session: session.add(Kind.THREAD, thread()), tenant=TENANT)

    assert await get(store, Kind.THREAD, "thread_1") is None
    await add_all(store, (Kind.THREAD, thread()))


async def test_one_failing_write_among_many_takes_no_other_along(store: Store) -> None:
    def work(session: Session, n: int) -> None:
        session.add(Kind.THREAD, thread(f"thread_{n}"))
        session.add(Kind.THREAD, thread(f"thread_{n}" if n % 10 == 3 else f"thread_{n}_too"))

    writes = [store.write(partial(work, n=n), tenant=TENANT) for n in range(50)]

    outcomes = await asyncio.gather(*writes, return_exceptions=True)

    page = await store.read(lambda session: session.page(Kind.THREAD, limit=200, order="asc"), tenant=TENANT)
    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, Conflict)] == [3, 13, 23, 33, 43]
    assert len(page.data) == 90


async def test_fifty_tasks_read_what_they_wrote(store: Store) -> None:
    async def one(n: int) -> list[Wire | None]:
        seen: list[Wire | None] = []
        for k in range(4):
            await add_all(store, (Kind.THREAD, thread(f"thread_{n}_{k}")))
            seen.append(await get(store, Kind.THREAD, f"thread_{n}_{k}"))
        return seen

    seen = await asyncio.gather(*(one(n) for n in range(50)))

    assert seen == [[thread(f"thread_{n}_{k}") for k in range(4)] for n in range(50)]


async def test_a_write_whose_caller_gave_up_happens_all_the_same(store: Store) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work(session: Session) -> None:
        begun.set()
        assert go_on.wait(5)
        session.add(Kind.THREAD, thread())

    task = asyncio.create_task(store.write(work, tenant=TENANT))
    await asyncio.to_thread(begun.wait, 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    go_on.set()

    await add_all(store, (Kind.THREAD, thread("thread_2")))
    assert await get(store, Kind.THREAD, "thread_1") == thread()


async def test_a_store_serves_several_event_loops_at_once(store: Store) -> None:
    def elsewhere(n: int) -> Wire | None:
        async def both() -> Wire | None:
            await add_all(store, (Kind.THREAD, thread(f"thread_{n}")))
            return await get(store, Kind.THREAD, f"thread_{n}")

        return asyncio.run(both())

    seen = await asyncio.gather(*(asyncio.to_thread(elsewhere, n) for n in range(4)))

    assert seen == [thread(f"thread_{n}") for n in range(4)]


# -- Closing -------------------------------------------------------------------------------------------------------


async def test_closing_waits_for_what_was_begun_and_may_be_repeated(url: str) -> None:
    store = await open_store(url)
    write = asyncio.create_task(add_all(store, (Kind.THREAD, thread())))
    await asyncio.sleep(0)

    await asyncio.gather(store.aclose(), store.aclose())

    await write
    await store.aclose()


async def test_a_closed_store_says_so(url: str) -> None:
    store = await open_store(url)
    await store.aclose()

    with pytest.raises(StoreError, match="closed"):
        await get(store, Kind.THREAD, "thread_1")
