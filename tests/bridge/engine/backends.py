"""Backends over one store file, as several processes or several lives of one process would have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.clocks import StandingClock
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.ports import ListQuery, Wire
from threadbridge.settings import Limits, Policies, Settings
from threadbridge_adapters.composition import assemble
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

LEASE = 30.0


@dataclass
class Life:
    """One process's backend, with the simulator it talks to."""

    backend: ResponsesBackend
    simulator: Simulator


@asynccontextmanager
async def living(
    folder: Path, clock: StandingClock, *, policies: Policies | None = None, **limits: float
) -> AsyncGenerator[Life]:
    """A backend on the folder's store. Leaving the block closes it, unless the test has."""
    simulator = Simulator(clock=clock)
    settings = Settings(
        limits=Limits.model_validate({"lease_seconds": LEASE, "drain_seconds": 0, **limits}),
        policies=policies or Policies(),
    )
    store = await open_store(f"sqlite:///{folder / 'threads.db'}")
    backend = assemble(settings, store=store, upstream=SimulatedUpstream(simulator), clock=clock)
    try:
        yield Life(backend, simulator)
    finally:
        await backend.aclose()


async def a_run(life: Life, text: str, **settings: object) -> Wire:
    """A run that was just queued, on a thread with one message."""
    assistant = await life.backend.create_assistant({"model": "gpt-4o", **settings})
    return await life.backend.create_thread_and_run(
        {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": text}]}}
    )


async def now(life: Life, run: Wire) -> Wire:
    return (await life.backend.retrieve_run(run["thread_id"], run["id"])).run


async def eventually(life: Life, run: Wire, reached: Callable[[Wire], bool]) -> Wire:
    """Look until the run is as wanted; real time passes, the clock of the backend does not."""
    found = run
    for _ in range(500):
        found = await now(life, run)
        if reached(found):
            return found
        await asyncio.sleep(0.005)
    raise AssertionError(f"the run is still {found['status']}")


def is_in(*statuses: str) -> Callable[[Wire], bool]:
    return lambda run: run["status"] in statuses


async def texts(life: Life, thread_id: str) -> list[str]:
    """What the thread says, oldest first."""
    page = await life.backend.list_messages(thread_id, ListQuery(order="asc", limit=100))
    return [message["content"][0]["text"]["value"] for message in page["data"]]
