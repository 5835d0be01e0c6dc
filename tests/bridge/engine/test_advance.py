"""`advance` does the next thing of a run, whoever calls it and however often."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.bridge.engine.backend_process import has_status, list_texts, queue_run, retrieve_run, run_backend, wait_until
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.engine.turn_runner import advance
from threadbridge.ports import RequestContext
from threadbridge.settings import Policies

WEATHER = {"type": "function", "function": {"name": "get_weather"}}


async def test_a_run_that_waits_for_a_slot_is_advanced_once_by_two_callers_at_once(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock(), concurrent_turns=1) as life:
        slow = await queue_run(life, "SLOW 1000\nSAY never")
        run = await queue_run(life, "SAY second")
        ctx = life.backend._ctx  # pyright: ignore[reportPrivateUsage]
        advancing = asyncio.gather(advance(ctx, run["id"]), advance(ctx, run["id"]))

        await life.backend.cancel_run(CONTEXT, slow["thread_id"], slow["id"])
        await asyncio.wait_for(advancing, 10)

        await wait_until(life, run, has_status("completed"))
        assert await list_texts(life, run["thread_id"]) == ["SAY second", "second"]
        assert [request.body["input"][-1]["content"][0]["text"] for request in life.simulator.requests].count(
            "SAY second"
        ) == 1


async def test_a_run_that_has_ended_waits_or_was_deleted_is_left_as_it_is(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock(), policies=Policies()) as life:
        ctx = life.backend._ctx  # pyright: ignore[reportPrivateUsage]
        ended = await queue_run(life, "SAY done")
        waiting = await queue_run(life, "CALL get_weather {}", tools=[WEATHER])
        deleted = await queue_run(life, "SAY gone")
        completed = await wait_until(life, ended, has_status("completed"))
        held = await wait_until(life, waiting, has_status("requires_action"))
        await wait_until(life, deleted, has_status("completed"))
        await life.backend.delete_thread(CONTEXT, deleted["thread_id"])
        sent = len(life.simulator.requests)

        for run in (ended, waiting, deleted):
            await advance(ctx, run["id"])

        assert await retrieve_run(life, ended) == completed
        assert await retrieve_run(life, waiting) == held
        assert len(life.simulator.requests) == sent


async def test_a_run_of_another_tenant_is_unknown(tmp_path: Path) -> None:
    async with run_backend(tmp_path, ManualClock()) as life:
        run = await queue_run(life, "SAY mine")
        await wait_until(life, run, has_status("completed"))
        other = life.backend._ctx.for_tenant("other")  # pyright: ignore[reportPrivateUsage]

        await advance(other, run["id"])

        threads = await life.backend.retrieve_thread(CONTEXT, run["thread_id"])
        assert threads["id"] == run["thread_id"]
        assert RequestContext("other") != CONTEXT
        assert len(life.simulator.requests) == 1
