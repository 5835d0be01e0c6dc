"""What every executor promises (`ports.Executor`). A new one is one more line in EXECUTORS."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import NamedTuple

import pytest

from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonValue
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.engine.context import EngineContext
from threadbridge.engine.inline_executor import ExecutorOpener, LocalTurns, open_inline_executor
from threadbridge.ports import Executor, RunReference
from threadbridge.settings import Limits, Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

EXECUTORS: dict[str, ExecutorOpener] = {"inline": open_inline_executor}


class Environment(NamedTuple):
    """A backend whose executor is under test."""

    backend: ResponsesBackend
    executor: Executor
    simulator: Simulator


@pytest.fixture(params=EXECUTORS)
async def environment(request: pytest.FixtureRequest) -> AsyncGenerator[Environment]:
    opened: list[Executor] = []

    def open_executor(ctx: EngineContext, local_turns: LocalTurns) -> Executor:
        opened.append(EXECUTORS[request.param](ctx, local_turns))
        return opened[0]

    simulator = Simulator(clock=ManualClock())
    backend = assemble_backend(
        Settings(limits=Limits(drain_seconds=0, concurrent_turns=1)),
        store=await open_store(":memory:"),
        upstream=SimulatedUpstream(simulator),
        open_executor=open_executor,
    )
    yield Environment(backend, opened[0], simulator)
    await backend.aclose()


async def queue(environment: Environment, text: str) -> JsonValue:
    assistant = await environment.backend.create_assistant(CONTEXT, {"model": "gpt-4o"})
    body = {"assistant_id": assistant["id"], "thread": {"messages": [{"role": "user", "content": text}]}}
    return await environment.backend.create_thread_and_run(CONTEXT, body)


async def finish(environment: Environment, run: JsonValue) -> JsonValue:
    events = await environment.backend.follow_run(CONTEXT, run["thread_id"], run["id"])
    async for _ in events:
        pass
    return (await environment.backend.retrieve_run(CONTEXT, run["thread_id"], run["id"])).run


async def test_a_queued_run_is_performed_when_a_slot_is_free(environment: Environment) -> None:
    runs = [await queue(environment, f"SAY {number}") for number in range(3)]

    finished = [await finish(environment, run) for run in runs]

    assert [run["status"] for run in finished] == ["completed"] * 3


async def test_a_run_that_is_submitted_again_and_again_is_performed_once(environment: Environment) -> None:
    run = await queue(environment, "SAY once")

    for _ in range(5):
        environment.executor.submit(RunReference(CONTEXT.tenant, run["id"]))
    finished = await finish(environment, run)
    environment.executor.submit(RunReference(CONTEXT.tenant, run["id"]))

    assert finished["status"] == "completed"
    assert len(environment.simulator.requests) == 1


async def test_a_cancelled_run_ends_and_the_next_one_gets_its_slot(environment: Environment) -> None:
    slow = await queue(environment, "SLOW 1000\nSAY never")
    waiting = await queue(environment, "SAY next")

    await environment.backend.cancel_run(CONTEXT, slow["thread_id"], slow["id"])

    assert (await finish(environment, slow))["status"] == "cancelled"
    assert (await finish(environment, waiting))["status"] == "completed"


async def test_a_run_that_is_cancelled_while_it_waits_for_a_slot_takes_none(environment: Environment) -> None:
    slow = await queue(environment, "SLOW 1000\nSAY never")
    waiting = await queue(environment, "SAY never")
    last = await queue(environment, "SAY last")

    await environment.backend.cancel_run(CONTEXT, waiting["thread_id"], waiting["id"])
    cancelled = await finish(environment, waiting)
    await environment.backend.cancel_run(CONTEXT, slow["thread_id"], slow["id"])

    assert cancelled["status"] == "cancelled"
    assert (await finish(environment, last))["status"] == "completed"
    assert len(environment.simulator.requests) == 2


async def test_cancelling_what_is_not_performed_here_does_nothing(environment: Environment) -> None:
    await environment.executor.cancel(RunReference(CONTEXT.tenant, "run_elsewhere"))

    assert list(environment.simulator.requests) == []
