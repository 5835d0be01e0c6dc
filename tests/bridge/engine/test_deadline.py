"""What waits for others ends at the deadline of its request; the run continues."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import NamedTuple

import pytest

from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.errors import UpstreamTimeout
from threadbridge.ports import Event, ListQuery, RequestContext
from threadbridge.service.run_state import ThreadBusy
from threadbridge.settings import Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

WEATHER = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}
CALL = 'CALL get_weather {"city": "Bern"}'
NEVER_ANSWERED = "SLOW 1000\nSAY never"
SECONDS = 5


class Environment(NamedTuple):
    """A backend whose clock stands still, a request's context with a deadline, and the body of a run."""

    backend: ResponsesBackend
    clock: ManualClock
    context: RequestContext
    run: dict[str, object]

    async def create_thread(self, text: str) -> str:
        body = {"messages": [{"role": "user", "content": text}]}
        return str((await self.backend.create_thread(CONTEXT, body))["id"])


@pytest.fixture
async def environment() -> AsyncGenerator[Environment]:
    clock = ManualClock()
    backend = assemble_backend(
        Settings.model_validate({"policies": {"busy_thread": "queue"}, "limits": {"drain_seconds": 0}}),
        store=await open_store(":memory:"),
        upstream=SimulatedUpstream(Simulator(clock=ManualClock())),
        clock=clock,
    )
    assistant = await backend.create_assistant(CONTEXT, {"model": "gpt-4o", "tools": [WEATHER]})
    context = RequestContext(CONTEXT.tenant, deadline=clock.now() + SECONDS)
    yield Environment(backend, clock, context, {"assistant_id": assistant["id"]})
    await backend.aclose()


async def list_names(events: AsyncIterator[Event]) -> list[str]:
    return [event.name async for event in events]


async def pass_time(clock: ManualClock, task: asyncio.Task[object]) -> None:
    """Let the deadline pass in small steps, until the task has ended."""
    for _ in range(20 * SECONDS):
        await asyncio.sleep(0.005)
        if task.done():
            return
        clock.advance(0.1)


async def test_the_stream_of_a_turn_ends_at_the_deadline_and_the_run_continues(environment: Environment) -> None:
    backend, clock, context, run = environment
    thread_id = await environment.create_thread(NEVER_ANSWERED)
    events = await backend.stream_run(context, thread_id, run)
    reading = asyncio.ensure_future(list_names(events))

    await pass_time(clock, reading)

    with pytest.raises(UpstreamTimeout, match="The run continues"):
        await reading
    [stored] = (await backend.list_runs(CONTEXT, thread_id, ListQuery()))["data"]
    assert stored["status"] == "in_progress"


@pytest.mark.parametrize("text", [NEVER_ANSWERED, CALL])
async def test_following_ends_at_the_deadline(environment: Environment, text: str) -> None:
    backend, clock, context, body = environment
    thread_id = await environment.create_thread(text)
    stream = await backend.stream_run(CONTEXT, thread_id, body)
    run = (await anext(stream)).data
    reading = asyncio.ensure_future(list_names(await backend.follow_run(context, thread_id, run["id"])))

    await pass_time(clock, reading)

    with pytest.raises(UpstreamTimeout):
        await reading


async def test_following_a_run_that_was_not_streamed_ends_at_the_deadline(environment: Environment) -> None:
    backend, clock, context, body = environment
    thread_id = await environment.create_thread(NEVER_ANSWERED)
    run = await backend.create_run(CONTEXT, thread_id, body)
    reading = asyncio.ensure_future(list_names(await backend.follow_run(context, thread_id, run["id"])))

    await pass_time(clock, reading)

    with pytest.raises(UpstreamTimeout):
        await reading


async def test_a_request_waits_for_a_busy_thread_no_longer_than_its_deadline(environment: Environment) -> None:
    backend, clock, context, body = environment
    thread_id = await environment.create_thread(NEVER_ANSWERED)
    await backend.create_run(CONTEXT, thread_id, body)
    patient = asyncio.ensure_future(backend.create_run(CONTEXT, thread_id, body))
    await asyncio.sleep(0.01)
    waiting = asyncio.ensure_future(backend.create_run(context, thread_id, body))

    await pass_time(clock, waiting)

    with pytest.raises(ThreadBusy):
        await waiting
    assert not patient.done()
    patient.cancel()
