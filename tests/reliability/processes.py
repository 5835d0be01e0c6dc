"""Processes that fork at any moment, and clocks that are set while runs are active."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bridge.engine.backend_process import (
    LEASE_SECONDS,
    has_status,
    list_texts,
    queue_run,
    retrieve_run,
    run_backend,
    wait_until,
)
from tests.manual_clock import ManualClock
from tests.reliability.forking_process import RUNS
from tests.reliability.scenario import Evidence, Fault

#: Seconds for the parent and the child together.
FORK_SECONDS = 60.0
#: Seconds in which a recovered run ends. The simulated answer takes hours of the clock, in steps of a third of a lease.
SETTLE_SECONDS = 60.0
#: Seconds by which a clock is set back or forward: around a lease, around the expiry of a run, a day.
CLOCK_STEPS = (-86_400, -3_600, -LEASE_SECONDS, -1, 1, LEASE_SECONDS + 1, 3_600, 86_400)
_TERMINAL = has_status("completed", "failed", "incomplete", "cancelled", "expired")


def fork_at_any_moment(evidence: Evidence, forks: int, seed: int) -> None:
    """Fork a process with an open client and an active run, `forks` times; both processes complete their runs."""
    for number in range(forks):
        with tempfile.TemporaryDirectory() as folder:
            _fork(evidence, Path(folder) / "threads.db", seed * 1000 + number)
        evidence.tried += 1


def _fork(evidence: Evidence, store: Path, seed: int) -> None:
    command = [sys.executable, "-m", "tests.reliability.forking_process", str(store), str(seed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            out, err = process.communicate(timeout=FORK_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            evidence.report(Fault.UNFINISHED, f"fork {seed}: a process waits for ever")
            return
    completed = {name: ids for name, *ids in map(str.split, out.splitlines())}
    for name in ("parent", "child"):
        if name not in completed:
            evidence.report(Fault.UNFINISHED, f"fork {seed}: the {name} ended with {process.returncode}: {err[-500:]}")
        elif len(completed[name]) != RUNS:
            evidence.report(Fault.UNFINISHED, f"fork {seed}: {len(completed[name])} of {RUNS} runs of the {name}")


def set_clocks(evidence: Evidence, steps: int, seed: int) -> None:
    """Abandon an active run, and set the clock of the process that recovers it, `steps` times."""
    rng = random.Random(seed)
    for _ in range(steps):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(_set_clock(evidence, Path(folder), rng.choice(CLOCK_STEPS)))
        evidence.tried += 1


async def _set_clock(evidence: Evidence, folder: Path, seconds: float) -> None:
    before, after = ManualClock(), ManualClock()
    after.advance(seconds)
    text = "SLOW 1000\nSAY good morning"
    async with run_backend(folder, before) as abandoned, run_backend(folder, after) as recovering:
        run = await queue_run(abandoned, text)
        await wait_until(abandoned, run, lambda _: bool(abandoned.simulator.requests))
        try:
            async with asyncio.timeout(SETTLE_SECONDS):
                while not _TERMINAL(await retrieve_run(recovering, run)):
                    after.advance(LEASE_SECONDS / 3)
                    await asyncio.sleep(0.01)
        except TimeoutError:
            evidence.report(Fault.UNFINISHED, f"a run after the clock was set by {seconds:g} seconds")
            return
        texts = await list_texts(recovering, run["thread_id"])
        if texts[:1] != [text]:
            evidence.report(Fault.LOST, f"the message of a run after the clock was set by {seconds:g} seconds")
        if len(texts) > 2:
            evidence.report(Fault.DOUBLED, f"answers after the clock was set by {seconds:g} seconds: {texts[1:]}")
