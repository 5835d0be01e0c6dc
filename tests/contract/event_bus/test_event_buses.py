"""What every event bus promises (`ports.EventBus`). A new one is one more line in BUSES."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

import pytest

from tests.manual_clock import ManualClock
from threadbridge.errors import BridgeError
from threadbridge.ports import Event, EventBus, EventPublisher, EventReader, RunReference, StreamState
from threadbridge.ports.event_bus import STREAM_LOST_MESSAGE
from threadbridge.runtime.clock_and_ids import new_id
from threadbridge.settings import Limits
from threadbridge.sse import decode_frame, get_frame_id
from threadbridge_adapters.event_bus.in_process import InProcessEventBus

RUN = RunReference("default", "run_1")
COMPLETED = Event("thread.run.completed", {"status": "completed"})
DEADLINE = 1_790_000_600
REQUIRES_ACTION = Event("thread.run.requires_action", {"status": "requires_action", "expires_at": DEADLINE})


class Environment(NamedTuple):
    """The bus of the process that performs runs, and that of a process whose clients follow them (may be the same)."""

    performer: EventBus
    follower: EventBus
    clock: ManualClock


def open_in_process(limits: Limits) -> Environment:
    clock = ManualClock()
    bus = InProcessEventBus(limits, clock, new_id)
    return Environment(bus, bus, clock)


BUSES: dict[str, Callable[[Limits], Environment]] = {"in-process": open_in_process}


@pytest.fixture
def limits() -> Limits:
    return Limits()


@pytest.fixture(params=BUSES)
async def environment(request: pytest.FixtureRequest, limits: Limits) -> AsyncGenerator[Environment]:
    opened = BUSES[request.param](limits)
    yield opened
    await opened.follower.aclose()
    await opened.performer.aclose()


def word(number: int) -> Event:
    return Event("thread.message.delta", {"number": number})


async def follow(environment: Environment, run: RunReference = RUN, after: str | None = None) -> EventReader:
    reader = await environment.follower.follow(run, after)
    assert reader is not None
    return reader


async def read_rest(reader: EventReader) -> list[Event]:
    """All events to the end of the stream. Raises the error of a broken one."""
    events: list[Event] = []
    while True:
        frames = reader.read_frames(2)
        if frames:
            events += map(decode_frame, frames)
        elif reader.state is StreamState.ENDED:
            return events
        elif reader.state is StreamState.BROKEN:
            assert reader.error is not None
            raise reader.error
        else:
            await asyncio.wait_for(reader.wait(), 5)


def get_numbers(events: list[Event]) -> list[int]:
    return [event.data["number"] for event in events if "number" in event.data]


def publish_run(environment: Environment, *numbers: int, run: RunReference = RUN) -> EventPublisher:
    publisher = environment.performer.open_turn(run)
    publisher.publish([*map(word, numbers), COMPLETED])
    publisher.end_turn(StreamState.ENDED)
    return publisher


async def test_a_follower_receives_events_in_order_as_they_are_published(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    publisher.publish([word(1)])
    reader = await follow(environment)
    reading = asyncio.ensure_future(read_rest(reader))

    for number in (2, 3):
        await asyncio.sleep(0)
        publisher.publish([word(number)])
    publisher.publish([word(4), COMPLETED])
    publisher.end_turn(StreamState.ENDED)

    events = await reading
    assert get_numbers(events) == [1, 2, 3, 4]
    assert events[-1]._replace(id=None) == COMPLETED


async def test_a_follower_that_comes_after_the_end_receives_the_same_frames(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    early = await follow(environment)
    reading = asyncio.ensure_future(read_rest(early))
    publisher.publish([word(1), COMPLETED])
    publisher.end_turn(StreamState.ENDED)

    assert await read_rest(await follow(environment)) == await reading


async def test_a_follower_continues_after_any_event(environment: Environment) -> None:
    publish_run(environment, 1, 2, 3)
    events = await read_rest(await follow(environment))

    rests = [await read_rest(await follow(environment, after=event.id)) for event in events]

    assert rests == [events[index + 1 :] for index in range(len(events))]
    assert len({event.id for event in events}) == len(events)


@pytest.mark.parametrize("event_id", ["", "x", "-1", "another-1", "step_1", "é-1"])
async def test_an_id_of_no_event_is_not_followed(environment: Environment, event_id: str) -> None:
    publish_run(environment, 1)

    assert await environment.follower.follow(RUN, event_id) is None


async def test_a_run_without_events_is_not_followed(environment: Environment) -> None:
    assert await environment.follower.follow(RUN) is None
    assert not environment.performer.is_waiting(RUN)


async def test_two_runs_do_not_mix(environment: Environment) -> None:
    other = RunReference("default", "run_2")
    publishers = [environment.performer.open_turn(run) for run in (RUN, other)]
    for number in range(4):
        publishers[number % 2].publish([word(number)])
    for publisher in publishers:
        publisher.publish([COMPLETED])
        publisher.end_turn(StreamState.ENDED)

    found = [await read_rest(await follow(environment, run)) for run in (RUN, other)]

    assert [get_numbers(events) for events in found] == [[0, 2], [1, 3]]
    assert await environment.follower.follow(other, found[0][0].id) is None


async def test_tenants_with_the_same_run_id_do_not_mix(environment: Environment) -> None:
    theirs = RunReference("another tenant", RUN.run_id)
    publish_run(environment, 1)

    assert await environment.follower.follow(theirs) is None
    publish_run(environment, 2, run=theirs)

    found = [await read_rest(await follow(environment, run)) for run in (RUN, theirs)]
    assert [get_numbers(events) for events in found] == [[1], [2]]
    assert await environment.follower.follow(theirs, found[0][0].id) is None


async def test_the_end_of_a_run_ends_every_follower(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    followers = [asyncio.ensure_future(read_rest(await follow(environment))) for _ in range(5)]
    await asyncio.sleep(0)

    publisher.publish([COMPLETED])
    publisher.end_turn(StreamState.ENDED)

    assert [len(events) for events in await asyncio.gather(*followers)] == [1] * 5


async def test_a_slow_follower_delays_neither_the_publisher_nor_others(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    slow, fast = await follow(environment), await follow(environment)
    publisher.publish([*map(word, range(1000)), COMPLETED])
    publisher.end_turn(StreamState.ENDED)

    assert len(await read_rest(fast)) == 1001
    assert (slow.position, len(await read_rest(slow))) == (0, 1001)


@pytest.mark.parametrize("limits", [Limits(replay_bytes_per_run=2000)])
async def test_a_follower_that_lags_beyond_the_limit_receives_an_error(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    reader = await follow(environment)

    for number in range(1000):
        publisher.publish([word(number)])
        if number % 100 == 0:
            await asyncio.sleep(0)

    with pytest.raises(BridgeError, match="read too slowly") as caught:
        await read_rest(reader)
    assert caught.value.code == "events_forgotten"
    assert await environment.follower.follow(RUN) is None  # the start is missing


@pytest.mark.parametrize("limits", [Limits(replay_bytes_per_run=0)])
async def test_unread_events_of_the_turns_reader_are_kept_until_it_is_released(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    reader = publisher.open_turn_reader()
    publisher.publish([word(1), word(2)])
    assert len(reader.read_frames(1)) == 1
    assert len(reader.read_frames(1)) == 1

    publisher.publish([word(3)])
    publisher.release_turn_reader()
    publisher.publish([word(4)])

    with pytest.raises(BridgeError, match="read too slowly"):
        reader.read_frames(1)


async def test_the_publisher_knows_whether_somebody_reads(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    publisher.publish([word(1)])
    counts = [publisher.reader_count]
    reader, turn_reader = await follow(environment), publisher.open_turn_reader()
    counts.append(publisher.reader_count)
    for _ in range(2):
        reader.close()
    counts.append(publisher.reader_count)
    turn_reader.close()

    assert [*counts, publisher.reader_count] == [0, 2, 1, 0]


async def test_closing_a_reader_wakes_it(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    publisher.publish([word(1)])
    reader = await follow(environment)
    assert len(reader.read_frames(1)) == 1
    waiting = asyncio.ensure_future(reader.wait())
    await asyncio.sleep(0)

    reader.close()

    await asyncio.wait_for(waiting, 5)


async def test_a_cancelled_wait_loses_no_event(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    reader = await follow(environment)
    waiting = asyncio.ensure_future(reader.wait())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    publisher.publish([COMPLETED])
    publisher.end_turn(StreamState.ENDED)

    assert len(await read_rest(reader)) == 1


async def test_a_turn_after_tool_outputs_continues_the_stream(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    publisher.publish([word(1), REQUIRES_ACTION])
    publisher.end_turn(StreamState.WAITING)
    reading = asyncio.ensure_future(read_rest(await follow(environment)))
    await asyncio.sleep(0)
    assert environment.performer.is_waiting(RUN)

    publish_run(environment, 2)

    assert get_numbers(await reading) == [1, 2]
    assert not environment.performer.is_waiting(RUN)


async def test_a_notified_follower_looks_at_its_waiting_run_and_may_end_it_for_all(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    publisher.publish([REQUIRES_ACTION])
    publisher.end_turn(StreamState.WAITING)
    reader = await environment.performer.follow(RUN)
    assert reader is not None
    assert len(reader.read_frames(1)) == 1
    assert reader.last_event == REQUIRES_ACTION
    other = asyncio.ensure_future(read_rest(await follow(environment)))
    waiting = asyncio.ensure_future(reader.wait())
    await asyncio.sleep(0)

    environment.performer.notify(RUN)
    await asyncio.wait_for(waiting, 5)
    expired = reader.open_turn()
    expired.publish([Event("thread.run.expired", {})])
    expired.end_turn(StreamState.ENDED)

    assert [event.name for event in await other] == ["thread.run.requires_action", "thread.run.expired"]


async def test_a_broken_turn_gives_followers_the_events_and_then_the_error(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    reader = await follow(environment)
    publisher.publish([word(1)])
    publisher.end_turn(StreamState.BROKEN, BridgeError("the disk is full"))

    (frame,) = reader.read_frames(1)
    with pytest.raises(BridgeError, match="the disk is full"):
        await read_rest(reader)
    assert await environment.follower.follow(RUN) is None  # the store knows more
    assert await environment.follower.follow(RUN, get_frame_id(frame)) is not None


async def test_followers_of_a_performer_that_ends_receive_an_error(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    publisher.publish([word(1)])
    reader = await follow(environment)
    reading = asyncio.ensure_future(read_rest(reader))
    await asyncio.sleep(0)

    await environment.performer.aclose()

    with pytest.raises(BridgeError, match=STREAM_LOST_MESSAGE[:20]):
        await reading
    assert reader.position == 1


async def test_the_next_performer_opens_a_new_stream(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    publisher.publish([word(1)])
    publisher.end_turn(StreamState.BROKEN, BridgeError("the process ended"))

    publish_run(environment, 2)

    assert get_numbers(await read_rest(await follow(environment))) == [2]


@pytest.mark.parametrize("limits", [Limits(replay_seconds=600)])
async def test_events_are_kept_for_a_time_after_the_end(environment: Environment) -> None:
    publish_run(environment, 1)

    environment.clock.advance(599)
    environment.performer.discard_expired()
    await follow(environment)
    environment.clock.advance(1)
    environment.performer.discard_expired()

    assert await environment.follower.follow(RUN) is None


@pytest.mark.parametrize("limits", [Limits(replay_seconds=10)])
async def test_events_of_a_waiting_run_are_kept_for_a_time_after_its_deadline(environment: Environment) -> None:
    publisher = environment.performer.open_turn(RUN)
    publisher.publish([REQUIRES_ACTION])
    publisher.end_turn(StreamState.WAITING)

    environment.clock.advance(DEADLINE - environment.clock.now() + 9)
    await follow(environment)
    environment.clock.advance(1)

    assert await environment.follower.follow(RUN) is None
