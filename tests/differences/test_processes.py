"""Numbered differences: several processes on one store, and what becomes of runs when a process ends."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.bridge.engine.backends import Life, a_run, eventually, is_in, living, texts
from tests.clocks import StandingClock
from tests.differences.service import WEATHER
from threadbridge.ports import Wire
from threadbridge.settings import Policies


async def test_d68_a_turn_cut_off_by_the_end_of_its_process_is_asked_again_by_the_next(tmp_path: Path) -> None:
    clock = StandingClock()
    async with living(tmp_path, clock) as first:
        run = await a_run(first, "SLOW 1\nSAY once")
        await eventually(first, run, lambda _: bool(first.simulator.requests))

    async with living(tmp_path, clock) as second:
        await eventually(second, run, lambda _: bool(second.simulator.requests))
        clock.advance(20)
        await eventually(second, run, is_in("completed"))

        assert await texts(second, run["thread_id"]) == ["SLOW 1\nSAY once", "once"]
        assert (len(first.simulator.requests), len(second.simulator.requests)) == (1, 1)


async def saying(life: Life, run: Wire, *said: str) -> Sequence[asyncio.Task[Wire]]:
    """Requests that add these messages one after another, each of which waits for the run."""
    requests: list[asyncio.Task[Wire]] = []
    for text in said:
        message = {"role": "user", "content": text}
        requests.append(asyncio.create_task(life.backend.create_message(run["thread_id"], message)))
        await asyncio.sleep(0.01)
    return requests


async def served(clock: StandingClock, requests: Sequence[asyncio.Task[Wire]]) -> None:
    """Let time pass until every request has its answer."""
    while not all(request.done() for request in requests):
        clock.advance(0.1)
        await asyncio.sleep(0.002)


async def test_d99_requests_of_several_processes_are_all_served_those_of_each_in_their_order(tmp_path: Path) -> None:
    clock, queue = StandingClock(), Policies(busy_thread="queue")
    async with living(tmp_path, clock, policies=queue) as one, living(tmp_path, clock, policies=queue) as other:
        run = await a_run(one, "CALL get_weather {}", tools=[WEATHER])
        await eventually(one, run, is_in("requires_action"))
        requests = [*await saying(one, run, "one 1", "one 2"), *await saying(other, run, "other 1", "other 2")]
        before = await texts(other, run["thread_id"])

        await one.backend.cancel_run(run["thread_id"], run["id"])
        await asyncio.wait_for(served(clock, requests), 10)

        added = (await texts(other, run["thread_id"]))[len(before) :]
        assert before == ["CALL get_weather {}"]
        assert sorted(added) == ["one 1", "one 2", "other 1", "other 2"]
        assert [text[-1] for text in added if text.startswith("one")] == ["1", "2"]
        assert [text[-1] for text in added if text.startswith("other")] == ["1", "2"]
