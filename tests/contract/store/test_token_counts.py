"""What each line of a timeline weighs, and how much a thread holds."""

from __future__ import annotations

import pytest

from tests.contract.store.single_transaction import TENANT, add_objects
from tests.stored_objects import call, message
from threadbridge.context_window.tokens import add_token_counts
from threadbridge.ports import (
    Entry,
    EntryRole,
    ObjectKind,
    Session,
    Store,
    ThreadSize,
    TimelinePosition,
    TokenCount,
    Turn,
)

COUNTED = add_token_counts([Entry(message=message(f"msg_{n}")) for n in (1, 2, 3)], lambda _: 6)
WEIGHT = TokenCount(EntryRole.USER, 10)


async def places(store: Store, **asked: int | bool) -> list[TimelinePosition]:
    def work(session: Session) -> list[TimelinePosition]:
        limit, beyond = asked.get("limit", 9), asked.get("beyond")
        return list(
            session.list_positions(
                "thread_1", limit=limit, after_position=beyond, newest_first=bool(asked.get("newest_first"))
            )
        )

    return await store.read(work, tenant=TENANT)


async def size(store: Store) -> ThreadSize:
    return await store.read(lambda session: session.get_thread_size("thread_1"), tenant=TENANT)


@pytest.fixture
async def counted(store: Store) -> Store:
    """Three messages of ten tokens, and a call that nobody has counted."""
    await store.write(lambda session: session.append_entries("thread_1", [*COUNTED, call()]), tenant=TENANT)
    return store


async def test_places_come_in_either_direction_and_page_exclusively(counted: Store) -> None:
    everything = await places(counted)
    backwards = await places(counted, newest_first=True)
    page = await places(counted, limit=2, beyond=everything[0].position)
    page_back = await places(counted, limit=2, beyond=everything[3].position, newest_first=True)

    assert [place.token_count for place in everything] == [WEIGHT, WEIGHT, WEIGHT, None]
    assert backwards == everything[::-1]
    assert page == everything[1:3]
    assert page_back == everything[2:0:-1]


async def test_a_span_is_the_entries_from_one_position_to_another(counted: Store) -> None:
    first, second, third, _ = await places(counted)

    entries = await counted.read(
        lambda session: list(session.iterate_entries("thread_1", first=second.position, last=third.position)),
        tenant=TENANT,
    )

    assert entries == COUNTED[1:]
    assert first.position < second.position


async def test_a_thread_knows_its_messages_and_the_tokens_that_were_counted(counted: Store) -> None:
    assert await size(counted) == ThreadSize(3, 30)
    assert await counted.read(lambda session: session.get_thread_size("thread_9"), tenant=TENANT) == ThreadSize(0, 0)
    assert await counted.read(lambda session: session.get_thread_size("thread_1"), tenant="another") == ThreadSize(0, 0)


async def test_an_entry_is_weighed_once(counted: Store) -> None:
    uncounted = (await places(counted))[3].position

    def weigh_twice(session: Session) -> None:
        session.set_token_count("thread_1", uncounted, TokenCount(EntryRole.FUNCTION_CALL, 7))
        session.set_token_count("thread_1", uncounted, TokenCount(EntryRole.FUNCTION_CALL, 8))

    await counted.write(weigh_twice, tenant=TENANT)

    assert (await places(counted))[3].token_count == TokenCount(EntryRole.FUNCTION_CALL, 7)
    assert await size(counted) == ThreadSize(3, 37)


async def test_a_removed_message_takes_its_weight_along(counted: Store) -> None:
    await counted.write(lambda session: session.remove(ObjectKind.MESSAGE, "msg_2"), tenant=TENANT)

    assert await size(counted) == ThreadSize(2, 20, edits=1)
    assert not await counted.write(lambda session: session.remove(ObjectKind.MESSAGE, "msg_2"), tenant=TENANT)
    assert await size(counted) == ThreadSize(2, 20, edits=1)


async def test_a_message_that_says_something_else_is_counted_again_and_another_is_not(counted: Store) -> None:
    await counted.write(
        lambda session: session.put(ObjectKind.MESSAGE, message("msg_1", text="changed")), tenant=TENANT
    )
    tagged = {**message("msg_2"), "metadata": {"a": "b"}}
    await counted.write(lambda session: session.put(ObjectKind.MESSAGE, tagged), tenant=TENANT)

    assert [place.token_count for place in await places(counted)] == [None, WEIGHT, WEIGHT, None]
    assert await size(counted) == ThreadSize(3, 20, edits=1)


async def test_an_added_message_counts_as_one_that_was_appended(counted: Store) -> None:
    await add_objects(counted, (ObjectKind.MESSAGE, message("msg_9")))

    assert await size(counted) == ThreadSize(4, 30)


async def test_a_removed_thread_weighs_nothing(counted: Store) -> None:
    await counted.write(lambda session: session.remove(ObjectKind.THREAD, "thread_1"), tenant=TENANT)

    assert await size(counted) == ThreadSize(0, 0)


async def test_a_turn_keeps_its_report(store: Store) -> None:
    turn = Turn(1, report={"history": {"sent": {"messages": 3}}, "warnings": ["ä"]})

    await store.write(lambda session: session.add_turn("run_1", turn), tenant=TENANT)

    assert await store.read(lambda session: session.list_turns("run_1"), tenant=TENANT) == [turn]
