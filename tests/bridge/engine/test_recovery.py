"""A run outlives its worker: whatever is cut off is taken up once, by one, and nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.bridge.engine.backend_process import (
    LEASE_SECONDS,
    has_status,
    list_texts,
    queue_run,
    retrieve_run,
    run_backend,
    wait_until,
)
from tests.emulated_service import get_required_calls
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.errors import NotFound
from threadbridge.ports import ListQuery

WEATHER = {"type": "function", "function": {"name": "get_weather"}}
SLOW = "SLOW 1000\nSAY good morning"


async def test_a_run_cut_off_at_the_end_of_its_process_is_taken_up_by_the_next(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as first:
        run = await queue_run(first, SLOW)
        await wait_until(first, run, has_status("in_progress"))

    async with run_backend(tmp_path, clock) as second:
        taken_up = await wait_until(second, run, lambda _: bool(second.simulator.requests))

    assert taken_up["status"] == "in_progress"
    assert second.simulator.requests[0].body["input"][0]["content"][0]["text"] == SLOW


async def test_a_run_whose_process_was_killed_is_taken_up_when_its_claim_has_lapsed(tmp_path: Path) -> None:
    stopped, ticking = ManualClock(), ManualClock()
    async with run_backend(tmp_path, stopped) as killed, run_backend(tmp_path, ticking) as other:
        run = await queue_run(killed, SLOW)
        await wait_until(killed, run, has_status("in_progress"))

        untouched = await retrieve_run(other, run)
        early = len(other.simulator.requests)
        ticking.advance(LEASE_SECONDS + 1)  # the first process prolongs nothing: for it, time stands still
        await wait_until(other, run, lambda _: bool(other.simulator.requests))

    assert (untouched["status"], early) == ("in_progress", 0)


async def test_two_backends_on_one_store_perform_a_turn_once(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as one, run_backend(tmp_path, clock) as other:
        runs = [await queue_run(one, f"SAY {n}") for n in range(10)]
        for run in runs:
            await wait_until(other, run, has_status("completed"))
        said = [await list_texts(other, run["thread_id"]) for run in runs]

    assert said == [[f"SAY {n}", f"{n}"] for n in range(10)]
    assert len(one.simulator.requests) + len(other.simulator.requests) == 10


async def test_a_cancellation_in_one_process_reaches_the_worker_in_another(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as working, run_backend(tmp_path, clock) as other:
        run = await queue_run(working, SLOW)
        await wait_until(working, run, lambda _: bool(working.simulator.requests))

        answer = await other.backend.cancel_run(CONTEXT, run["thread_id"], run["id"])
        clock.advance(LEASE_SECONDS / 3)
        cancelled = await wait_until(other, run, has_status("cancelled"))

    assert answer["status"] == "cancelling"
    assert (cancelled["cancelled_at"], cancelled["expires_at"]) == (int(clock.now()), None)


async def test_a_worker_told_to_stop_and_called_off_at_once_leaves_the_run_to_the_next(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as life, run_backend(tmp_path, clock) as other:
        run = await queue_run(life, SLOW)
        await wait_until(life, run, lambda _: bool(life.simulator.requests))
        (worker, task), *_ = life.backend._local_turns._runners.values()  # pyright: ignore[reportPrivateUsage]

        cancelling = asyncio.ensure_future(other.backend.cancel_run(CONTEXT, run["thread_id"], run["id"]))
        worker.cancel()
        task.cancel()
        await asyncio.wait([task])
        await cancelling
        cancelled = await wait_until(other, run, has_status("cancelled"))

    assert task.cancelled()
    assert cancelled["cancelled_at"] == int(clock.now())


async def test_a60_a_turn_that_takes_too_long_expires_by_itself(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock, lease_seconds=3600) as life:
        run = await queue_run(life, "SLOW 2000\nSAY too late")
        await wait_until(life, run, has_status("in_progress"))

        clock.advance(600)
        expired = await wait_until(life, run, has_status("expired"))
        said = await list_texts(life, run["thread_id"])

    assert (expired["expires_at"], expired["completed_at"], expired["last_error"]) == (None, None, None)
    assert said == ["SLOW 2000\nSAY too late"]


async def test_a60_a_streamed_turn_that_takes_too_long_keeps_what_was_said_and_closes_its_stream(
    tmp_path: Path,
) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock, lease_seconds=3600) as life:
        assistant = await life.backend.create_assistant(CONTEXT, {"model": "gpt-4o"})
        thread = await life.backend.create_thread(
            CONTEXT, {"messages": [{"role": "user", "content": "SLOW 90\nSAY one two three four five six"}]}
        )
        stream = await life.backend.stream_run(CONTEXT, thread["id"], {"assistant_id": assistant["id"]})
        names: list[str] = []
        reading = asyncio.ensure_future(_names(stream, names))
        while not reading.done():
            clock.advance(30)
            await asyncio.sleep(0.01)

    assert names[-3:] == ["thread.message.incomplete", "thread.run.step.expired", "thread.run.expired"]


async def _names(stream: object, names: list[str]) -> None:
    names += [event.name async for event in stream]  # type: ignore[attr-defined]


async def test_a_turn_that_comes_too_late_writes_nothing(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as life:
        run = await queue_run(life, SLOW)
        await wait_until(life, run, has_status("in_progress"))

        await life.backend.delete_thread(CONTEXT, run["thread_id"])
        clock.advance(100_000)
        await asyncio.sleep(0.05)

        with pytest.raises(NotFound):
            await life.backend.list_messages(CONTEXT, run["thread_id"], ListQuery())


async def test_a_waiting_run_outlives_its_process_and_takes_outputs_in_the_next(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as first:
        run = await queue_run(first, "CALL get_weather {}", tools=[WEATHER])
        waiting = await wait_until(first, run, has_status("requires_action"))

    call = get_required_calls(waiting)[0]
    async with run_backend(tmp_path, clock) as second:
        body = {"tool_outputs": [{"tool_call_id": call["id"], "output": "rain"}]}
        await second.backend.submit_tool_outputs(CONTEXT, run["thread_id"], run["id"], body)
        completed = await wait_until(second, run, has_status("completed"))
        said = await list_texts(second, run["thread_id"])

    assert (completed["started_at"] or 0) >= (waiting["started_at"] or 0) > 0
    assert said[-1] == "RESULT: rain"
