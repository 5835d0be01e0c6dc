"""The timeline of a thread, and what a removed thread takes along."""

from __future__ import annotations

import pytest

from tests.contract.store.single_transaction import TENANT, add_objects, get_object
from tests.stored_objects import call, message, run, step, thread
from threadbridge.errors import Conflict
from threadbridge.ports import Entry, ObjectKind, Session, Store, Turn

ANSWER = Entry(
    message=message("msg_2", run_id="run_1"),
    item={"type": "message", "id": "item_2", "role": "assistant", "content": []},
    run_id="run_1",
)
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
    await store.write(lambda session: session.append_entries("thread_1", TIMELINE[:2]), tenant=TENANT)
    await store.write(lambda session: session.append_entries("thread_1", TIMELINE[2:]), tenant=TENANT)
    await store.write(
        lambda session: session.append_entries("thread_2", [Entry(message=message("msg_x"))]), tenant=TENANT
    )
    return store


@pytest.mark.parametrize(("last_messages", "first"), [(None, 0), (0, 5), (1, 4), (2, 3), (3, 0), (4, 0), (1000, 0)])
async def test_a_timeline_starts_at_the_nth_newest_message(told: Store, last_messages: int | None, first: int) -> None:
    entries = await told.read(
        lambda session: session.list_entries("thread_1", last_messages=last_messages), tenant=TENANT
    )

    assert entries == TIMELINE[first:]


async def test_an_unknown_thread_has_an_empty_timeline(told: Store) -> None:
    assert await told.read(lambda session: session.list_entries("thread_9"), tenant=TENANT) == []
    assert await told.read(lambda session: session.list_entries("thread_9", last_messages=3), tenant=TENANT) == []


async def test_a_message_of_the_timeline_is_found_by_id_and_by_run(told: Store) -> None:
    page = await told.read(
        lambda session: session.get_page(
            ObjectKind.MESSAGE, limit=9, order="asc", thread_id="thread_1", run_id="run_1"
        ),
        tenant=TENANT,
    )

    assert await get_object(told, ObjectKind.MESSAGE, "msg_2") == ANSWER.message
    assert page.data == [ANSWER.message]


async def test_an_added_message_joins_the_timeline(told: Store) -> None:
    await add_objects(told, (ObjectKind.MESSAGE, message("msg_4", run_id="run_7")))

    entries = await told.read(lambda session: session.list_entries("thread_1"), tenant=TENANT)

    assert entries == [*TIMELINE, Entry(message=message("msg_4", run_id="run_7"), run_id="run_7")]


async def test_a_changed_message_changes_in_the_timeline_and_keeps_its_item(told: Store) -> None:
    changed = message("msg_2", run_id="run_1", text="changed")

    await told.write(lambda session: session.put(ObjectKind.MESSAGE, changed), tenant=TENANT)

    entries = await told.read(lambda session: session.list_entries("thread_1", last_messages=2), tenant=TENANT)
    assert entries == [Entry(changed, ANSWER.item, "run_1"), TIMELINE[4]]


async def test_a_removed_message_leaves_the_timeline_with_its_item(told: Store) -> None:
    await told.write(lambda session: session.remove(ObjectKind.MESSAGE, "msg_2"), tenant=TENANT)

    entries = await told.read(lambda session: session.list_entries("thread_1"), tenant=TENANT)
    items = await told.read(lambda session: session.list_run_items("run_1"), tenant=TENANT)

    assert entries == [*TIMELINE[:3], TIMELINE[4]]
    assert items == [TIMELINE[1].item, TIMELINE[2].item]


async def test_the_items_of_a_run_come_oldest_first(told: Store) -> None:
    items = await told.read(lambda session: session.list_run_items("run_1"), tenant=TENANT)

    assert items == [TIMELINE[1].item, TIMELINE[2].item, ANSWER.item]


async def test_a_message_is_appended_once_and_a_refused_append_adds_nothing(told: Store) -> None:
    with pytest.raises(Conflict, match="msg_3"):
        await told.write(
            lambda session: session.append_entries("thread_1", [call("call_9"), Entry(message=message("msg_3"))]),
            tenant=TENANT,
        )

    assert await told.read(lambda session: session.list_entries("thread_1"), tenant=TENANT) == TIMELINE


async def test_appending_nothing_is_allowed(told: Store) -> None:
    await told.write(lambda session: session.append_entries("thread_1", []), tenant=TENANT)

    assert await told.read(lambda session: session.list_entries("thread_1"), tenant=TENANT) == TIMELINE


def fill_threads(session: Session, *numbers: int) -> None:
    for n in numbers:
        of = f"thread_{n}"
        session.add(ObjectKind.THREAD, thread(of))
        session.add(ObjectKind.RUN, run(f"run_{n}", of))
        session.add(ObjectKind.STEP, step(f"step_{n}", of, f"run_{n}"))
        session.append_entries(of, [Entry(message=message(f"msg_{n}", of)), call(run_id=f"run_{n}")])
        session.add_turn(f"run_{n}", Turn(1))


def everything(session: Session, n: int) -> list[object]:
    return [
        session.get(ObjectKind.THREAD, f"thread_{n}"),
        session.get(ObjectKind.RUN, f"run_{n}"),
        session.get(ObjectKind.STEP, f"step_{n}"),
        session.get(ObjectKind.MESSAGE, f"msg_{n}"),
        session.get_active_run(f"thread_{n}"),
        session.list_entries(f"thread_{n}"),
        session.list_run_items(f"run_{n}"),
        session.list_turns(f"run_{n}"),
    ]


async def test_a_removed_thread_takes_everything_of_its_own_and_nothing_else(store: Store) -> None:
    await store.write(lambda session: fill_threads(session, 1, 2), tenant=TENANT)
    await store.write(lambda session: fill_threads(session, 1), tenant="tenant_b")
    before = await store.read(lambda session: everything(session, 2), tenant=TENANT)

    await store.write(lambda session: session.remove(ObjectKind.THREAD, "thread_1"), tenant=TENANT)

    assert not any(await store.read(lambda session: everything(session, 1), tenant=TENANT))
    assert await store.read(lambda session: everything(session, 2), tenant=TENANT) == before
    assert all(await store.read(lambda session: everything(session, 1), tenant="tenant_b"))
    await store.write(lambda session: fill_threads(session, 1), tenant=TENANT)


async def test_a_removed_run_takes_its_turns_along(store: Store) -> None:
    await store.write(lambda session: fill_threads(session, 1, 2), tenant=TENANT)

    await store.write(lambda session: session.remove(ObjectKind.RUN, "run_1"), tenant=TENANT)

    assert await store.read(lambda session: session.list_turns("run_1"), tenant=TENANT) == []
    assert await store.read(lambda session: session.list_turns("run_2"), tenant=TENANT) == [Turn(1)]
