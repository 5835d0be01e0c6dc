"""The promises of `follow_run`, kept by every backend that has it, through every door (see `worlds.py`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contract.environments import Environment
from tests.contract.test_backend import (
    WEATHER,
    a_run,
    a_thread,
    an_assistant,
    at_rest,
    close,
    names,
    outputs,
    streamed,
    until,
)
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonValue
from threadbridge.errors import InvalidRequest, NotFound, RequestError
from threadbridge.ports import Event

CALL = 'CALL get_weather {"city": "Bern"}'


async def a_stream(world: Environment, text: str) -> AsyncIterator[Event]:
    """The events of a run on a new thread, with a function it may call."""
    assistant_id = await an_assistant(world, tools=[WEATHER])
    thread_id = await a_thread(world, text)
    return await world.backend.stream_run(CONTEXT, thread_id, {"assistant_id": assistant_id})


async def followed(world: Environment, run: JsonValue, after: str | None = None) -> list[Event]:
    """Everything that follows, to the end of the run."""
    return await streamed(await world.backend.follow_run(CONTEXT, run["thread_id"], run["id"], after=after))


def run_of(events: list[Event]) -> JsonValue:
    """The run as an event told it last."""
    return [event.data for event in events if event.data["object"] == "thread.run"][-1]


async def test_every_event_has_an_id_of_its_own(world: Environment) -> None:
    events = await streamed(await a_stream(world, "SAY one two three"))

    ids = [event.id for event in events]

    assert None not in ids
    assert len(set(ids)) == len(ids)


async def test_a_stream_that_broke_anywhere_goes_on_exactly_there(world: Environment) -> None:
    events = await streamed(await a_stream(world, "SAY one two three"))
    run = run_of(events)

    rests = [await followed(world, run, event.id) for event in events]

    assert rests == [events[at + 1 :] for at in range(len(events))]


async def test_without_an_id_everything_is_told_from_the_start(world: Environment) -> None:
    events = await streamed(await a_stream(world, "SAY one two three"))

    assert await followed(world, run_of(events)) == events


async def test_a_client_that_left_gets_the_rest_while_the_run_goes_on(world: Environment) -> None:
    stream = await a_stream(world, "SAY one two three four\nSLOW 0.01")
    seen = [await anext(stream) for _ in range(4)]
    await close(stream)

    rest = await followed(world, run_of(seen), seen[-1].id)

    assert names(seen + rest)[:3] == ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
    assert rest[-1].name == "thread.run.completed"
    assert await followed(world, run_of(seen)) == seen + rest


async def test_one_who_follows_is_told_all_rounds_in_order_and_waits_between_them(world: Environment) -> None:
    stream = await a_stream(world, CALL)
    begun = await anext(stream)
    following = asyncio.ensure_future(followed(world, begun.data))

    first = [begun, *await streamed(stream)]
    run = run_of(first)
    second = await streamed(await world.backend.stream_tool_outputs(CONTEXT, run["thread_id"], run["id"], outputs(run)))

    assert await following == first + second
    assert await followed(world, run, first[-1].id) == second


async def test_a_round_that_was_submitted_without_a_stream_is_told_as_well(world: Environment) -> None:
    first = await streamed(await a_stream(world, CALL))
    run = run_of(first)
    await world.backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], outputs(run))

    rest = await followed(world, run, first[-1].id)

    assert names(rest) == [
        "thread.run.step.completed",
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.message.created",
        "thread.message.in_progress",
        "thread.message.delta",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]


async def test_many_follow_one_run(world: Environment) -> None:
    stream = await a_stream(world, "SAY one two three\nSLOW 0.005")
    begun = await anext(stream)
    following = [asyncio.ensure_future(followed(world, begun.data)) for _ in range(5)]

    events = [begun, *await streamed(stream)]

    assert await asyncio.gather(*following) == [events] * 5


async def test_a95_a_run_cancelled_while_it_waits_ends_for_those_who_follow(world: Environment) -> None:
    first = await streamed(await a_stream(world, CALL))
    run = run_of(first)
    following = asyncio.ensure_future(followed(world, run, first[-1].id))
    await asyncio.sleep(0.05)

    await world.backend.cancel_run(CONTEXT, run["thread_id"], run["id"])
    await until(world, run["thread_id"], run["id"], lambda now: now["status"] == "cancelled")
    world.clock.advance(2)

    assert names(await following) == ["thread.run.cancelling", "thread.run.step.cancelled", "thread.run.cancelled"]


async def test_a60_a_run_that_expires_while_it_waits_ends_for_those_who_follow(world: Environment) -> None:
    first = await streamed(await a_stream(world, CALL))
    run = run_of(first)
    world.clock.advance(601)

    rest = await followed(world, run, first[-1].id)

    assert names(rest) == ["thread.run.step.expired", "thread.run.expired"]
    assert await followed(world, run) == first + rest


async def test_a_run_that_was_not_streamed_is_told_as_far_as_it_is_known(world: Environment) -> None:
    run = await a_run(world, "SAY one two three")

    events = await followed(world, run)

    assert [event.name for event in events] == [
        "thread.message.created",
        "thread.message.delta",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]
    assert events[1].data["delta"]["content"][0]["text"]["value"] == "one two three"
    assert [await followed(world, run, event.id) for event in events] == [events[at:] for at in range(1, 6)]


async def test_a_run_that_is_not_streamed_is_told_as_it_goes_on(world: Environment) -> None:
    assistant_id = await an_assistant(world, tools=[WEATHER])
    thread_id = await a_thread(world, CALL)
    run = await world.backend.create_run(CONTEXT, thread_id, {"assistant_id": assistant_id})
    run = await until(world, thread_id, run["id"], at_rest)
    stream = await world.backend.follow_run(CONTEXT, thread_id, run["id"])
    told = await anext(stream)
    following = asyncio.ensure_future(streamed(stream))

    await world.backend.submit_tool_outputs(CONTEXT, thread_id, run["id"], outputs(run))
    await until(world, thread_id, run["id"], lambda now: now["status"] == "completed")
    await asyncio.sleep(0.05)
    world.clock.advance(2)

    assert told.name == "thread.run.requires_action"
    assert [event.name for event in await following] == [
        "thread.run.step.completed",
        "thread.message.created",
        "thread.message.delta",
        "thread.message.completed",
        "thread.run.step.completed",
        "thread.run.completed",
    ]


@pytest.mark.parametrize("after", ["nonsense", "log-1", "0123456789-3", "stored-x", "é"])
async def test_an_unknown_event_id_is_refused_by_name(world: Environment, after: str) -> None:
    run = run_of(await streamed(await a_stream(world, "Hello")))

    with pytest.raises(InvalidRequest, match="Unknown event id in 'Last-Event-ID'") as caught:
        await followed(world, run, after)

    assert (caught.value.code, caught.value.param) == ("unknown_event_id", "Last-Event-ID")


async def test_the_events_are_kept_ten_minutes_after_the_end_and_what_is_stored_for_good(world: Environment) -> None:
    events = await streamed(await a_stream(world, "Hello"))
    run = run_of(events)
    world.clock.advance(599)
    before = await followed(world, run, events[2].id)
    world.clock.advance(2)

    with pytest.raises(RequestError, match="Unknown event id"):
        await followed(world, run, events[2].id)
    after = await followed(world, run)

    assert before == events[3:]
    assert names(after)[-1] == "thread.run.completed"
    assert after != events


async def test_a15_an_unknown_run_or_one_of_another_thread_is_not_found(world: Environment) -> None:
    run = run_of(await streamed(await a_stream(world, "Hello")))
    other = await a_thread(world, "Hello")

    with pytest.raises(NotFound, match="No run found with id 'run_x'"):
        await followed(world, {**run, "id": "run_x"})
    with pytest.raises(NotFound, match=f"No run found with id '{run['id']}'"):
        await followed(world, {**run, "thread_id": other})
