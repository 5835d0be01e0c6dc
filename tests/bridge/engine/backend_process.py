"""Backends over one store file, as several processes or several lives of one process would have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.emulated_service import message_text
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import RunObject
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.ports import ListQuery
from threadbridge.settings import Limits, Policies, Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

LEASE_SECONDS = 30.0


@dataclass
class BackendProcess:
    """One process's backend, with the simulator it talks to."""

    backend: ResponsesBackend
    simulator: Simulator


@asynccontextmanager
async def run_backend(
    folder: Path, clock: ManualClock, *, policies: Policies | None = None, **limits: float
) -> AsyncGenerator[BackendProcess]:
    """A backend on the folder's store. Leaving the block closes it, unless the test has."""
    simulator = Simulator(clock=clock)
    settings = Settings(
        limits=Limits.model_validate({"lease_seconds": LEASE_SECONDS, "drain_seconds": 0, **limits}),
        policies=policies or Policies(),
    )
    store = await open_store(f"sqlite:///{folder / 'threads.db'}")
    backend = assemble_backend(settings, store=store, upstream=SimulatedUpstream(simulator), clock=clock)
    try:
        yield BackendProcess(backend, simulator)
    finally:
        await backend.aclose()


async def queue_run(life: BackendProcess, text: str, **settings: object) -> RunObject:
    """A run that was just queued, on a thread with one message."""
    assistant = await life.backend.create_assistant(CONTEXT, {"model": "gpt-4o", **settings})
    return await life.backend.create_thread_and_run(
        CONTEXT, {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": text}]}}
    )


async def retrieve_run(life: BackendProcess, run: RunObject) -> RunObject:
    return (await life.backend.retrieve_run(CONTEXT, run["thread_id"], run["id"])).run


async def wait_until(life: BackendProcess, run: RunObject, condition: Callable[[RunObject], bool]) -> RunObject:
    """Look until the run is as wanted; real time passes, the clock of the backend does not."""
    current = run
    for _ in range(500):
        current = await retrieve_run(life, run)
        if condition(current):
            return current
        await asyncio.sleep(0.005)
    raise AssertionError(f"the run is still {current['status']}")


def has_status(*statuses: str) -> Callable[[RunObject], bool]:
    return lambda run: run["status"] in statuses


async def list_texts(life: BackendProcess, thread_id: str) -> list[str]:
    """What the thread says, oldest first."""
    page = await life.backend.list_messages(CONTEXT, thread_id, ListQuery(order="asc", limit=100))
    return [message_text(message) for message in page["data"]]
