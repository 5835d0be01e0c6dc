"""The buffer between a worker and the reader of a stream."""

from __future__ import annotations

import asyncio

import pytest

from threadbridge.errors import StoreError
from threadbridge.ports import Event
from threadbridge_adapters.responses.feed import Feed

A, B = Event("a", {}), Event("b", {})


async def test_events_arrive_in_order_and_the_feed_ends() -> None:
    feed = Feed(10)
    feed.put([A])
    feed.put([B])
    feed.end()

    assert [event async for event in feed] == [A, B]


async def test_a_reader_waits_for_an_event_that_comes_later() -> None:
    feed = Feed(10)
    reading = asyncio.ensure_future(anext(feed))
    await asyncio.sleep(0)

    feed.put([A])

    assert await reading == A


async def test_a_full_feed_makes_the_worker_wait_until_the_reader_took_something() -> None:
    feed = Feed(1)
    feed.put([A])
    waiting = asyncio.ensure_future(feed.room())
    await asyncio.sleep(0)
    assert feed.is_full
    assert not waiting.done()

    await anext(feed)
    await waiting

    assert not feed.is_full


async def test_a_reader_who_leaves_frees_the_worker_and_nothing_is_kept_for_him() -> None:
    feed = Feed(1)
    feed.put([A])
    waiting = asyncio.ensure_future(feed.room())
    await asyncio.sleep(0)

    await feed.aclose()
    await waiting
    feed.put([B])

    assert [event async for event in feed] == []


async def test_an_error_reaches_the_reader_after_the_last_event() -> None:
    feed = Feed(10)
    feed.put([A])
    feed.end(StoreError("the disk is full"))

    assert await anext(feed) == A
    with pytest.raises(StoreError, match="the disk is full"):
        await anext(feed)
