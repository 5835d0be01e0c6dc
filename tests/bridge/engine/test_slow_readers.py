"""Readers who stand still, runs that wait for a place, and cancellations in the very last moment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.bridge.engine.backend_process import (
    BackendProcess,
    has_status,
    queue_run,
    retrieve_run,
    run_backend,
    wait_until,
)
from tests.emulated_service import get_required_calls
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject, RunObject
from threadbridge.errors import BridgeError, NotFound, StoreError
from threadbridge.ports import Event, RequestContext, Store
from threadbridge.settings import Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

WEATHER: JsonObject = {"type": "function", "function": {"name": "get_weather"}}
LONG = "SAY " + " ".join(["word"] * 200)


class Losable:
    """A store that can be lost."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.lost = False

    def __getattr__(self, name: str) -> Any:
        if self.lost and name in ("read", "write"):
            raise StoreError("the disk is gone")
        return getattr(self._store, name)


async def a_stream(life: BackendProcess, text: str, **settings: object) -> AsyncIterator[Event]:
    assistant = await life.backend.create_assistant(CONTEXT, {"model": "gpt-4o", **settings})
    thread = {"messages": [{"role": "user", "content": text}]}
    return await life.backend.stream_thread_and_run(CONTEXT, {"assistant_id": assistant["id"], "thread": thread})


async def names(stream: AsyncIterator[Event]) -> list[str]:
    return [event.name async for event in stream]


async def the_run(stream: AsyncIterator[Event]) -> RunObject:
    """The run, from the second event on."""
    await anext(stream)
    return cast("RunObject", (await anext(stream)).data)


async def test_a_reader_who_stands_still_is_given_up_and_the_run_completes(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock(), stream_buffer_events=5, stalled_reader_seconds=0.05) as life:
        stream = await a_stream(life, LONG)
        run = await the_run(stream)

        await wait_until(life, run, has_status("completed"))
        rest = await names(stream)

    assert (rest[-1], rest.count("thread.message.delta")) == ("thread.run.completed", 200)


async def test_a_reader_who_is_slow_holds_his_run_up_and_misses_nothing(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock(), stream_buffer_events=5, replay_bytes_per_run=0) as life:
        stream = await a_stream(life, LONG)
        run = await the_run(stream)
        await asyncio.sleep(0.05)
        held_up = await retrieve_run(life, run)

        rest = await names(stream)

    assert held_up["status"] == "in_progress"
    assert (rest[-1], rest.count("thread.message.delta")) == ("thread.run.completed", 200)


async def test_one_who_follows_slowly_holds_nobody_up_and_is_told_what_he_missed(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock(), stream_buffer_events=5, replay_bytes_per_run=2000) as life:
        stream = await a_stream(life, LONG)
        run = await the_run(stream)
        following = await life.backend.follow_run(CONTEXT, run["thread_id"], run["id"])
        told = (await anext(following)).name

        told_to_reader = await names(stream)

        with pytest.raises(BridgeError, match="read too slowly"):
            await names(following)
    assert (told, told_to_reader[-1]) == ("thread.created", "thread.run.completed")


async def test_a_run_beyond_the_bound_waits_for_its_place_and_is_cancelled_there(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock, concurrent_turns=1) as life:
        working = await queue_run(life, "SLOW 1\nSAY one")
        stream = await a_stream(life, "SAY two")
        waiting = await the_run(stream)
        before = await retrieve_run(life, waiting)

        await life.backend.cancel_run(CONTEXT, waiting["thread_id"], waiting["id"])
        rest = await names(stream)
        clock.advance(9)
        await wait_until(life, working, has_status("completed"))

    assert before["status"] == "queued"
    assert rest[-1] == "thread.run.cancelled"
    assert len(life.simulator.requests) == 1


async def test_runs_that_wait_for_a_place_are_performed_one_after_the_other(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock(), concurrent_turns=1) as life:
        streams = [await a_stream(life, f"SAY {number}") for number in range(4)]

        told = await asyncio.gather(*(names(stream) for stream in streams))

    assert [each[-1] for each in told] == ["thread.run.completed"] * 4


async def test_a_run_that_is_refused_leaves_its_slot_to_others(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock(), concurrent_turns=1) as life:
        with pytest.raises(NotFound):
            await life.backend.create_run(CONTEXT, "thread_abcdefghijklmnopqrstuvwx", {"assistant_id": "asst_1"})

        run = await queue_run(life, "SAY hello")

        await wait_until(life, run, has_status("completed"))


async def test_closing_gives_up_runs_that_wait_for_a_place_and_the_next_life_performs_them(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock, concurrent_turns=1) as first:
        working = await queue_run(first, "SLOW 1\nSAY one")
        stream = await a_stream(first, "SAY two")
        waiting = await the_run(stream)

    with pytest.raises(BridgeError, match="This process is stopping"):
        await names(stream)
    async with run_backend(tmp_path, clock) as second:
        await wait_until(second, waiting, has_status("completed"))
        await wait_until(second, working, lambda _: len(second.simulator.requests) == 2)


async def test_a95_a_cancellation_in_the_last_moment_wins_over_the_calls_and_is_told_in_order(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as performing, run_backend(tmp_path, clock) as other:
        stream = await a_stream(performing, 'SLOW 0.1\nCALL get_weather {"a": 1}', tools=[WEATHER])
        run = await the_run(stream)
        reading = asyncio.ensure_future(names(stream))
        await wait_until(performing, run, lambda _: bool(performing.simulator.requests))
        await other.backend.cancel_run(CONTEXT, run["thread_id"], run["id"])
        while not reading.done():
            clock.advance(0.1)
            await asyncio.sleep(0.005)
        cancelled = await retrieve_run(other, run)

    told = [name for name in await reading if not name.endswith(".delta")]
    assert told == [
        "thread.run.queued",
        "thread.run.in_progress",
        "thread.run.step.created",
        "thread.run.step.in_progress",
        "thread.run.cancelling",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]
    assert cancelled["status"] == "cancelled"


async def test_one_who_follows_where_another_process_goes_on_is_told_so(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as first, run_backend(tmp_path, clock) as second:
        stream = await a_stream(first, "CALL get_weather {}\nSLOW 1", tools=[WEATHER])
        run = await the_run(stream)
        reading = asyncio.ensure_future(names(stream))
        while not reading.done():
            clock.advance(1)
            await asyncio.sleep(0.005)
        following = asyncio.ensure_future(names(await first.backend.follow_run(CONTEXT, run["thread_id"], run["id"])))
        calls = get_required_calls(await retrieve_run(second, run))

        await second.backend.submit_tool_outputs(
            CONTEXT,
            run["thread_id"],
            run["id"],
            {"tool_outputs": [{"tool_call_id": calls[0]["id"], "output": "sunny"}]},
        )
        await wait_until(second, run, has_status("in_progress"))
        for _ in range(4):
            clock.advance(1)
            await asyncio.sleep(0.02)

        with pytest.raises(BridgeError, match="This stream broke off"):
            await following


async def test_a_lost_store_is_an_error_before_the_stream_begins(tmp_path: Path) -> None:
    store = Losable(await open_store(f"sqlite:///{tmp_path / 'threads.db'}"))
    simulator = Simulator()
    backend = assemble_backend(Settings(), store=cast("Store", store), upstream=SimulatedUpstream(simulator))
    life = BackendProcess(backend, simulator)
    run = await the_run(await a_stream(life, "SAY one"))
    await wait_until(life, run, has_status("completed"))

    store.lost = True

    with pytest.raises(StoreError, match="the disk is gone"):
        await backend.follow_run(CONTEXT, run["thread_id"], run["id"])
    await backend.aclose()


async def test_a_store_lost_while_somebody_follows_is_an_error_at_the_end_of_his_stream(tmp_path: Path) -> None:
    store = Losable(await open_store(f"sqlite:///{tmp_path / 'threads.db'}"))
    simulator, clock = Simulator(), ManualClock()
    backend = assemble_backend(
        Settings(), store=cast("Store", store), upstream=SimulatedUpstream(simulator), clock=clock
    )
    told = [
        event
        async for event in await a_stream(BackendProcess(backend, simulator), "CALL get_weather {}", tools=[WEATHER])
    ]
    run = told[-1].data
    following = await backend.follow_run(CONTEXT, run["thread_id"], run["id"])

    store.lost = True

    assert [await anext(following) for _ in told] == told
    with pytest.raises(StoreError, match="the disk is gone"):
        await anext(following)
    await backend.aclose()


async def test_a7_the_runs_of_another_tenant_are_not_found(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock()) as life:
        run = await the_run(await a_stream(life, "SAY one"))

        with pytest.raises(NotFound, match="No thread found with id"):
            await life.backend.follow_run(RequestContext("other"), run["thread_id"], run["id"])
