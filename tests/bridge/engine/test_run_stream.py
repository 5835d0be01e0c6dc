"""The way of one turn's events from the worker into the log, and to the reader who asked for them."""

from __future__ import annotations

import asyncio

import pytest

from threadbridge.engine.run_stream import RunStream
from threadbridge.errors import BridgeError, StoreError
from threadbridge.ports import Event, RunReference, StreamState
from threadbridge.runtime.clock_and_ids import SystemClock, new_id
from threadbridge.settings import Limits
from threadbridge_adapters.event_bus.in_process import EventLog, InProcessEventBus

A, B = Event("a", {}), Event("b", {"é": [1, None]})


def a_log(**limits: int) -> EventLog:
    bus = InProcessEventBus(Limits.model_validate(limits), SystemClock(), new_id)
    return bus.open_turn(RunReference("default", "run_1"))


async def names(feed: RunStream) -> list[str]:
    return [event.name async for event in feed]


async def test_events_arrive_whole_and_in_order_and_the_feed_ends() -> None:
    log = a_log()
    feed = RunStream(log, 10)
    feed.publish([A])
    feed.publish([B])
    feed.finish()

    found = [event async for event in feed]

    assert found == [A._replace(id=f"{log.name}-1"), B._replace(id=f"{log.name}-2")]


async def test_a_reader_waits_for_an_event_that_comes_later() -> None:
    feed = RunStream(a_log(), 10)
    reading = asyncio.ensure_future(anext(feed))
    await asyncio.sleep(0)

    feed.publish([A])

    assert (await reading).name == "a"


async def test_a_full_feed_makes_the_worker_wait_until_the_reader_took_something() -> None:
    feed = RunStream(a_log(), 1)
    feed.publish([A])
    waiting = asyncio.ensure_future(feed.drain())
    await asyncio.sleep(0)
    assert feed.is_full
    assert not waiting.done()

    await anext(feed)
    await waiting

    assert not feed.is_full


async def test_a_reader_who_leaves_frees_the_worker_and_is_told_nothing_more() -> None:
    log = a_log()
    feed = RunStream(log, 1)
    feed.publish([A])
    waiting = asyncio.ensure_future(feed.drain())
    await asyncio.sleep(0)

    await feed.aclose()
    await waiting
    feed.publish([B])

    assert await names(feed) == []
    assert log.end == 2


async def test_an_error_reaches_the_reader_after_the_last_event() -> None:
    feed = RunStream(a_log(), 10)
    feed.publish([A])
    feed.finish(StoreError("the disk is full"))

    assert (await anext(feed)).name == "a"
    with pytest.raises(StoreError, match="the disk is full"):
        await anext(feed)


async def test_a_reader_who_was_given_up_holds_nobody_up_and_may_still_read_everything() -> None:
    feed = RunStream(a_log(), 1)
    feed.publish([A])

    feed.detach_reader()
    feed.publish([B])
    feed.finish()

    assert not feed.is_full
    assert await names(feed) == ["a", "b"]


async def test_a_reader_who_was_given_up_meets_an_error_where_the_log_was_shortened() -> None:
    feed = RunStream(a_log(replay_bytes_per_run=10), 1)
    feed.publish([A])
    feed.detach_reader()

    feed.publish([B])

    with pytest.raises(BridgeError, match="read too slowly") as caught:
        await anext(feed)
    assert caught.value.code == "events_forgotten"


async def test_what_the_turns_reader_has_not_read_is_never_forgotten() -> None:
    feed = RunStream(a_log(replay_bytes_per_run=0), 10)

    feed.publish([A, B])
    feed.finish()

    assert await names(feed) == ["a", "b"]


async def test_a_feed_without_a_reader_holds_nobody_up_and_tells_the_log() -> None:
    log = a_log()
    feed = RunStream(log, 1, has_reader=False)

    feed.publish([A, B])
    feed.finish()

    assert (feed.is_full, feed.has_readers, log.end) == (False, False, 2)


async def test_two_turns_are_one_log_and_each_reader_gets_his_own() -> None:
    log = a_log()
    first = RunStream(log, 10)
    first.publish([A, Event("thread.run.requires_action", {"expires_at": 0})])
    first.finish()
    state = log.state
    second = RunStream(log.open_turn(), 10)
    second.publish([B, Event("thread.run.completed", {})])
    second.finish()

    found = [await names(first), await names(second)]

    assert found == [["a", "thread.run.requires_action"], ["b", "thread.run.completed"]]
    assert (state, log.state) == (StreamState.WAITING, StreamState.ENDED)
