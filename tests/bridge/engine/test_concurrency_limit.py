"""A bounded number of turns at once, and a fair queue for the rest."""

from __future__ import annotations

import asyncio

import pytest

from threadbridge.engine.concurrency_limit import Places


def never() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def queued(places: Places, called_off: asyncio.Future[None] | None = None) -> asyncio.Task[bool]:
    """Somebody who waits."""
    waiting = asyncio.ensure_future(places.wait(called_off or never()))
    await asyncio.sleep(0)
    return waiting


async def test_there_are_so_many_places_and_no_more() -> None:
    places = Places(2)

    assert [places.reserve() for _ in range(3)] == [True, True, False]


async def test_a_place_that_was_given_back_is_free_again() -> None:
    places = Places(1)
    places.reserve()

    places.give_back()

    assert [places.reserve(), places.reserve()] == [True, False]


async def test_a_free_place_is_taken_without_waiting() -> None:
    places = Places(1)

    assert await places.wait(never())
    assert not places.reserve()


async def test_who_waited_longest_is_next_and_nobody_passes_by() -> None:
    places = Places(1)
    places.reserve()
    first, second = await queued(places), await queued(places)

    places.give_back()
    passed_by = places.reserve()
    await asyncio.wait((first, second), timeout=0.01)

    assert not passed_by
    assert (first.done(), second.done()) == (True, False)
    assert await first
    places.give_back()
    assert await second


async def test_a_wait_that_is_called_off_takes_no_place() -> None:
    places = Places(1)
    places.reserve()
    called_off = never()
    first, second = await queued(places, called_off), await queued(places)

    called_off.set_result(None)
    got_one = await first
    places.give_back()

    assert (got_one, await second) == (False, True)


async def test_a_place_that_came_together_with_the_call_off_is_kept_by_who_got_it() -> None:
    places = Places(1)
    places.reserve()
    called_off = never()
    waiting = await queued(places, called_off)

    called_off.set_result(None)
    places.give_back()

    assert await waiting
    assert not places.reserve()


async def test_who_is_cancelled_while_waiting_leaves_the_queue() -> None:
    places = Places(1)
    places.reserve()
    first, second = await queued(places), await queued(places)

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    places.give_back()

    assert await second


async def test_who_is_cancelled_with_a_place_in_his_hand_hands_it_on() -> None:
    places = Places(1)
    places.reserve()
    first, second = await queued(places), await queued(places)

    places.give_back()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    assert await second
