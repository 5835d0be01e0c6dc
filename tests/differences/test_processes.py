"""Numbered differences: several processes on one store, and runs of a process that ended."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from tests.bridge.engine.backend_process import (
    BackendProcess,
    has_status,
    list_texts,
    queue_run,
    run_backend,
    wait_until,
)
from tests.emulated_service import WEATHER
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import MessageObject, RunObject
from threadbridge.settings import Policies


async def test_d68_a_turn_interrupted_by_the_end_of_its_process_is_repeated_by_the_next(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock) as first:
        run = await queue_run(first, "SLOW 1\nSAY once")
        await wait_until(first, run, lambda _: bool(first.simulator.requests))

    async with run_backend(tmp_path, clock) as second:
        await wait_until(second, run, lambda _: bool(second.simulator.requests))
        clock.advance(20)
        await wait_until(second, run, has_status("completed"))

        assert await list_texts(second, run["thread_id"]) == ["SLOW 1\nSAY once", "once"]
        assert (len(first.simulator.requests), len(second.simulator.requests)) == (1, 1)


async def add_messages(life: BackendProcess, run: RunObject, *texts: str) -> Sequence[asyncio.Task[MessageObject]]:
    """Start requests that add these messages in order; each waits for the run."""
    requests: list[asyncio.Task[MessageObject]] = []
    for text in texts:
        message = {"role": "user", "content": text}
        requests.append(asyncio.create_task(life.backend.create_message(CONTEXT, run["thread_id"], message)))
        await asyncio.sleep(0.01)
    return requests


async def advance_until_done(clock: ManualClock, requests: Sequence[asyncio.Task[MessageObject]]) -> None:
    """Advance the clock until every request has its response."""
    while not all(request.done() for request in requests):
        clock.advance(0.1)
        await asyncio.sleep(0.002)


async def test_d99_queued_requests_of_several_processes_are_served_in_the_order_of_each_process(tmp_path: Path) -> None:
    clock, queue = ManualClock(), Policies(busy_thread="queue")
    async with (
        run_backend(tmp_path, clock, policies=queue) as one,
        run_backend(tmp_path, clock, policies=queue) as other,
    ):
        run = await queue_run(one, "CALL get_weather {}", tools=[WEATHER])
        await wait_until(one, run, has_status("requires_action"))
        requests = [
            *await add_messages(one, run, "one 1", "one 2"),
            *await add_messages(other, run, "other 1", "other 2"),
        ]
        before = await list_texts(other, run["thread_id"])

        await one.backend.cancel_run(CONTEXT, run["thread_id"], run["id"])
        await asyncio.wait_for(advance_until_done(clock, requests), 10)

        added = (await list_texts(other, run["thread_id"]))[len(before) :]
        assert before == ["CALL get_weather {}"]
        assert sorted(added) == ["one 1", "one 2", "other 1", "other 2"]
        assert [text[-1] for text in added if text.startswith("one")] == ["1", "2"]
        assert [text[-1] for text in added if text.startswith("other")] == ["1", "2"]
