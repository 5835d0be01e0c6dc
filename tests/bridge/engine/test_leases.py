"""Leases while a run waits for a slot, under a clock that was set back, and of many runs; turns on a full disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

from tests.bridge.engine.backend_process import (
    LEASE_SECONDS,
    BackendProcess,
    has_status,
    list_texts,
    queue_run,
    retrieve_run,
    run_backend,
    wait_until,
)
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import RunObject
from threadbridge.engine.turn_runner import COMMIT_ATTEMPTS
from threadbridge.errors import StoreError
from threadbridge.ports import Lease, Session, Store
from threadbridge.settings import Limits, Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

T = TypeVar("T")
SLOW = "SLOW 1000\nSAY never"


async def read_lease(life: BackendProcess, run: RunObject) -> Lease | None:
    store = life.backend._ctx.store  # pyright: ignore[reportPrivateUsage]
    return await store.read(lambda session: session.get_lease(run["id"]), tenant=CONTEXT.tenant)


async def advance_slowly(clock: ManualClock, seconds: float) -> None:
    for _ in range(int(seconds // 5)):
        clock.advance(5)
        await asyncio.sleep(0.01)


async def test_a_run_that_waits_for_a_slot_keeps_its_lease(tmp_path: Path) -> None:
    clock = ManualClock()
    async with (
        run_backend(tmp_path, clock, concurrent_turns=1) as busy,
        run_backend(tmp_path, clock) as idle,
    ):
        slow = await queue_run(busy, SLOW)
        waiting = await queue_run(busy, "SAY second")

        await advance_slowly(clock, 4 * LEASE_SECONDS)
        lease = await read_lease(busy, waiting)
        performed_elsewhere = len(idle.simulator.requests)
        await busy.backend.cancel_run(CONTEXT, slow["thread_id"], slow["id"])
        await wait_until(busy, waiting, has_status("completed"))

    assert lease is not None
    assert lease.expires_at > clock.now()
    assert performed_elsewhere == 0
    assert len(busy.simulator.requests) == 2


async def test_a_run_whose_lease_ends_too_late_is_recovered(tmp_path: Path) -> None:
    ahead, corrected = ManualClock(), ManualClock()
    ahead.advance(1000)
    async with run_backend(tmp_path, ahead, run_expiry_seconds=10_000) as first:
        run = await queue_run(first, SLOW)
        await wait_until(first, run, has_status("in_progress"))

        async with run_backend(tmp_path, corrected) as second:
            recovered = await wait_until(second, run, lambda _: bool(second.simulator.requests))

    assert recovered["status"] == "in_progress"


async def test_a_lease_that_ends_soon_after_the_latest_moment_is_valid(tmp_path: Path) -> None:
    slightly_ahead, clock = ManualClock(), ManualClock()
    slightly_ahead.advance(5)
    async with (
        run_backend(tmp_path, slightly_ahead) as first,
        run_backend(tmp_path, clock) as second,
    ):
        run = await queue_run(first, SLOW)
        await wait_until(first, run, lambda _: bool(first.simulator.requests))

        await retrieve_run(second, run)
        await asyncio.sleep(0.05)

        assert list(second.simulator.requests) == []


async def test_one_sweep_recovers_all_runs_without_a_lease(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_backend(tmp_path, clock, concurrent_turns=1) as first:
        assistant = await first.backend.create_assistant(CONTEXT, {"model": "gpt-4o"})
        slow = await queue_run(first, SLOW)
        bodies = {
            "assistant_id": assistant["id"],
            "thread": {"messages": [{"role": "user", "content": "SAY recovered"}]},
        }
        runs = [await first.backend.create_thread_and_run(CONTEXT, bodies) for _ in range(230)]
        await first.backend.cancel_run(CONTEXT, slow["thread_id"], slow["id"])
        unfinished = [run for run in runs if (await retrieve_run(first, run))["status"] == "queued"]

    async with run_backend(tmp_path, clock, concurrent_turns=1000) as second:
        for run in unfinished:
            await wait_until(second, run, has_status("completed"))

    assert len(unfinished) > 200


class FullDisk:
    """A store whose writes fail while `is_full`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.is_full = False
        self.rejected_writes = 0

    def read(self, work: Callable[[Session], T], *, tenant: str) -> Awaitable[T]:
        return self._store.read(work, tenant=tenant)

    async def write(self, work: Callable[[Session], T], *, tenant: str, large: bool = False) -> T:
        if self.is_full:
            self.rejected_writes += 1
            raise StoreError("The store could not be written (database or disk is full).")
        return await self._store.write(work, tenant=tenant, large=large)

    async def aclose(self) -> None:
        await self._store.aclose()


@asynccontextmanager
async def run_on_full_disk(
    folder: Path, clock: ManualClock
) -> AsyncGenerator[tuple[BackendProcess, FullDisk, RunObject]]:
    """A backend with a run whose turn is performed and cannot be written."""
    simulator = Simulator(clock=clock)
    disk = FullDisk(await open_store(f"sqlite:///{folder / 'threads.db'}"))
    settings = Settings(limits=Limits(lease_seconds=LEASE_SECONDS, drain_seconds=0, run_expiry_seconds=100_000))
    backend = assemble_backend(settings, store=disk, upstream=SimulatedUpstream(simulator), clock=clock)
    life = BackendProcess(backend, simulator)
    try:
        run = await queue_run(life, "SLOW 1\nSAY saved")
        await wait_until(life, run, lambda _: bool(simulator.requests))
        disk.is_full = True
        yield life, disk, run
    finally:
        await backend.aclose()


async def test_a_turn_on_a_full_disk_is_written_when_there_is_space(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_on_full_disk(tmp_path, clock) as (life, disk, run):
        await advance_slowly(clock, 2 * LEASE_SECONDS)
        disk.is_full = False
        await advance_slowly(clock, 2 * LEASE_SECONDS)
        await wait_until(life, run, has_status("completed"))

        assert (await list_texts(life, run["thread_id"]))[-1] == "saved"
        assert len(life.simulator.requests) == 1
        assert disk.rejected_writes > 0


async def test_a_turn_that_cannot_be_written_at_all_ends_its_run_and_asks_the_model_once(tmp_path: Path) -> None:
    clock = ManualClock()
    async with run_on_full_disk(tmp_path, clock) as (life, disk, run):
        await advance_slowly(clock, COMMIT_ATTEMPTS * LEASE_SECONDS + 10 * LEASE_SECONDS)
        disk.is_full = False
        await advance_slowly(clock, 2 * LEASE_SECONDS)
        failed = await wait_until(life, run, has_status("failed"))

        assert "could not be written" in (failed["last_error"] or {"message": ""})["message"]
        assert len(life.simulator.requests) == 1
