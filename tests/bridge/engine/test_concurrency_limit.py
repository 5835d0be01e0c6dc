"""A bounded number of turns at once, and a fair queue for the rest."""

from __future__ import annotations

import asyncio

import pytest

from threadbridge.engine.concurrency_limit import ConcurrencyLimit


def never() -> asyncio.Future[None]:
    return asyncio.get_running_loop().create_future()


async def queued(places: ConcurrencyLimit, called_off: asyncio.Future[None] | None = None) -> asyncio.Task[bool]:
    """Somebody who waits."""
    waiting = asyncio.ensure_future(places.acquire(called_off or never()))
    await asyncio.sleep(0)
    return waiting


async def test_there_are_so_many_places_and_no_more() -> None:
    places = ConcurrencyLimit(2)

    assert [places.try_acquire() for _ in range(3)] == [True, True, False]


async def test_a_place_that_was_given_back_is_free_again() -> None:
    places = ConcurrencyLimit(1)
    places.try_acquire()

    places.release()

    assert [places.try_acquire(), places.try_acquire()] == [True, False]


async def test_a_free_place_is_taken_without_waiting() -> None:
    places = ConcurrencyLimit(1)

    assert await places.acquire(never())
    assert not places.try_acquire()


async def test_who_waited_longest_is_next_and_nobody_passes_by() -> None:
    places = ConcurrencyLimit(1)
    places.try_acquire()
    first, second = await queued(places), await queued(places)

    places.release()
    passed_by = places.try_acquire()
    await asyncio.wait((first, second), timeout=0.01)

    assert not passed_by
    assert (first.done(), second.done()) == (True, False)
    assert await first
    places.release()
    assert await second


async def test_a_wait_that_is_called_off_takes_no_place() -> None:
    places = ConcurrencyLimit(1)
    places.try_acquire()
    called_off = never()
    first, second = await queued(places, called_off), await queued(places)

    called_off.set_result(None)
    got_one = await first
    places.release()

    assert (got_one, await second) == (False, True)


async def test_a_place_that_came_together_with_the_call_off_is_kept_by_who_got_it() -> None:
    places = ConcurrencyLimit(1)
    places.try_acquire()
    called_off = never()
    waiting = await queued(places, called_off)

    called_off.set_result(None)
    places.release()

    assert await waiting
    assert not places.try_acquire()


async def test_who_is_cancelled_while_waiting_leaves_the_queue() -> None:
    places = ConcurrencyLimit(1)
    places.try_acquire()
    first, second = await queued(places), await queued(places)

    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    places.release()

    assert await second


async def test_who_is_cancelled_with_a_place_in_his_hand_hands_it_on() -> None:
    places = ConcurrencyLimit(1)
    places.try_acquire()
    first, second = await queued(places), await queued(places)

    places.release()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first

    assert await second
