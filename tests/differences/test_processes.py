"""Numbered differences: what becomes of runs when a process ends."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.responses.emulations import a_run, eventually, is_in, living, texts
from tests.clocks import StandingClock


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
