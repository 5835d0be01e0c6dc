"""Every request may be begun in no task, a look on any thread; it goes on in one only where it has to wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from tests.bridge.engine.backends import LEASE, Life, a_run, eventually, is_in, living
from tests.clocks import StandingClock
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.errors import NotFound
from threadbridge.ports import Backend, ListQuery, PolledRun, Store, Wire, begins_at_once
from threadbridge.runtime._at_once import Done, begin
from threadbridge.settings import Policies, Settings
from threadbridge_adapters.composition import assemble
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

T = TypeVar("T")
Look = Callable[[Backend, Wire], Coroutine[Any, Any, object]]

PAGE = ListQuery()
LOOKS: dict[str, Look] = {
    "list_assistants": lambda backend, run: backend.list_assistants(PAGE),
    "retrieve_assistant": lambda backend, run: backend.retrieve_assistant(run["assistant_id"]),
    "list_threads": lambda backend, run: backend.list_threads(PAGE),
    "retrieve_thread": lambda backend, run: backend.retrieve_thread(run["thread_id"]),
    "list_messages": lambda backend, run: backend.list_messages(run["thread_id"], PAGE),
    "list_runs": lambda backend, run: backend.list_runs(run["thread_id"], PAGE),
    "retrieve_run": lambda backend, run: backend.retrieve_run(run["thread_id"], run["id"]),
    "report_run": lambda backend, run: backend.report_run(run["thread_id"], run["id"]),
    "list_steps": lambda backend, run: backend.list_steps(run["thread_id"], run["id"], PAGE),
}


@pytest.fixture
def clock() -> StandingClock:
    return StandingClock()


@pytest.fixture
async def life(tmp_path: Path, clock: StandingClock) -> AsyncIterator[Life]:
    async with living(tmp_path, clock) as life:
        yield life


async def begun_outside(work: Coroutine[Any, Any, T]) -> Done[T] | None:
    """What comes of it on a thread without a loop, while this one's is held up."""
    found: list[Done[T] | None] = []
    elsewhere = threading.Thread(target=lambda: found.append(begin(work)))
    elsewhere.start()
    elsewhere.join(5)
    return found[0]


def test_every_look_there_is_is_tried_here() -> None:
    looks = {name for name in dir(ResponsesBackend) if name.startswith(("list_", "retrieve_", "report_"))}

    assert looks - set(LOOKS) == {"retrieve_message", "retrieve_step"}  # as `retrieve_thread`


class Through:
    """Hands everything through, and might have to wait on the way."""

    def __init__(self, behind: object) -> None:
        self._behind = behind

    def __getattr__(self, name: str) -> object:
        return getattr(self._behind, name)


class Derived(ResponsesBackend):
    """Might look otherwise."""


async def test_only_the_class_itself_is_taken_at_its_word(life: Life) -> None:
    store = await open_store(":memory:")

    assert [begins_at_once(one) for one in (life.backend, store)] == [True, True]
    assert [begins_at_once(one) for one in (Through(life.backend), Through(store))] == [False, False]
    assert not begins_at_once(Derived.__new__(Derived))
    await store.aclose()


async def test_a_store_that_does_not_say_so_is_read_on_the_loop() -> None:
    store = await open_store(":memory:")
    backend = assemble(Settings(), store=cast("Store", Through(store)), upstream=SimulatedUpstream(Simulator()))
    looking = backend.list_threads(PAGE)

    begun = await begun_outside(looking)
    listed = await asyncio.create_task(looking)

    assert begun is None
    assert listed["data"] == []
    await backend.aclose()


MESSAGE = {"role": "user", "content": "SAY hello"}
CHANGES: dict[str, Look] = {
    "create_assistant": lambda backend, run: backend.create_assistant({"model": "gpt-4o"}),
    "update_assistant": lambda backend, run: backend.update_assistant(run["assistant_id"], {"name": "Anna"}),
    "create_thread": lambda backend, run: backend.create_thread({"messages": [MESSAGE]}),
    "update_thread": lambda backend, run: backend.update_thread(run["thread_id"], {"metadata": {"a": "b"}}),
    "create_message": lambda backend, run: backend.create_message(run["thread_id"], MESSAGE),
    "create_run": lambda backend, run: backend.create_run(run["thread_id"], {"assistant_id": run["assistant_id"]}),
    "update_run": lambda backend, run: backend.update_run(run["thread_id"], run["id"], {"metadata": {"a": "b"}}),
    "delete_thread": lambda backend, run: backend.delete_thread(run["thread_id"]),
    "delete_assistant": lambda backend, run: backend.delete_assistant(run["assistant_id"]),
}
NEEDING_A_TASK: dict[str, Look] = {
    "stream_run": lambda backend, run: backend.stream_run(run["thread_id"], {"assistant_id": run["assistant_id"]}),
    "stream_thread_and_run": lambda backend, run: backend.stream_thread_and_run({"assistant_id": run["assistant_id"]}),
    "cancel_run": lambda backend, run: backend.cancel_run(run["thread_id"], run["id"]),
    "submit_tool_outputs": lambda backend, run: backend.submit_tool_outputs(run["thread_id"], run["id"], {}),
    "stream_tool_outputs": lambda backend, run: backend.stream_tool_outputs(run["thread_id"], run["id"], {}),
}


@pytest.mark.parametrize("name", CHANGES)
async def test_a_change_needs_no_task(life: Life, name: str) -> None:
    run = await a_run(life, "SAY hello")
    await eventually(life, run, is_in("completed"))

    done = begin(CHANGES[name](life.backend, run))

    assert done is not None


@pytest.mark.parametrize("name", NEEDING_A_TASK)
async def test_what_may_have_to_wait_asks_for_a_task_first(life: Life, name: str) -> None:
    run = await a_run(life, "SAY hello")
    await eventually(life, run, is_in("completed"))
    asking = NEEDING_A_TASK[name](life.backend, run)

    done = begin(asking)

    asking.close()
    assert done is None


async def test_a_run_that_was_created_in_no_task_is_performed(life: Life) -> None:
    earlier = await a_run(life, "SAY hello")
    await eventually(life, earlier, is_in("completed"))
    thread = await life.backend.create_thread({"messages": [MESSAGE]})
    creating = life.backend.create_run(thread["id"], {"assistant_id": earlier["assistant_id"]})

    done = begin(creating)

    assert done is not None
    run: Any = done.result
    assert run["status"] == "queued"
    assert (await eventually(life, run, is_in("completed")))["usage"] is not None


async def test_a_run_refused_in_no_task_leaves_its_place_to_others(tmp_path: Path, clock: StandingClock) -> None:
    async with living(tmp_path, clock, concurrent_turns=1) as life:
        with pytest.raises(NotFound):
            begin(life.backend.create_run("thread_abcdefghijklmnopqrstuvwx", {"assistant_id": "asst_1"}))

        run = await a_run(life, "SAY hello")

        await eventually(life, run, is_in("completed"))


async def test_a_request_begun_in_no_task_waits_for_a_busy_thread_in_one(tmp_path: Path, clock: StandingClock) -> None:
    async with living(tmp_path, clock, policies=Policies(busy_thread="queue"), busy_wait_seconds=60) as life:
        tools = [{"type": "function", "function": {"name": "get_weather"}}]
        run = await a_run(life, "CALL get_weather {}", tools=tools)
        await eventually(life, run, is_in("requires_action"))
        writing = life.backend.create_message(run["thread_id"], MESSAGE)

        begun = begin(writing)
        waiting = asyncio.create_task(writing)
        await life.backend.cancel_run(run["thread_id"], run["id"])
        while not waiting.done():
            clock.advance(1)
            await asyncio.sleep(0.005)

        assert begun is None
        assert waiting.result()["role"] == "user"


@pytest.mark.parametrize("name", LOOKS)
async def test_a_look_needs_no_loop(life: Life, name: str) -> None:
    run = await a_run(life, "SAY hello")
    await eventually(life, run, is_in("completed"))

    done = await begun_outside(LOOKS[name](life.backend, run))

    assert done is not None
    assert done == Done(await LOOKS[name](life.backend, run))


async def test_a_look_that_fails_raises_where_it_was_begun(life: Life) -> None:
    with pytest.raises(NotFound):
        begin(life.backend.retrieve_thread("thread_abcdefghijklmnopqrstuvwx"))


async def test_a_run_without_a_worker_is_taken_up_on_the_loop(tmp_path: Path, clock: StandingClock) -> None:
    stopped = StandingClock()
    async with living(tmp_path, stopped) as gone, living(tmp_path, clock) as other:
        run = await a_run(gone, "SLOW 1000\nSAY good morning")
        await eventually(gone, run, is_in("in_progress"))
        clock.advance(LEASE + 1)

        looking = other.backend.retrieve_run(run["thread_id"], run["id"])
        begun = await begun_outside(looking)
        polled: PolledRun = await asyncio.create_task(looking)

    assert begun is None
    assert polled.run["status"] == "in_progress"


async def test_a60_a_deadline_that_a_look_meets_is_written_on_the_loop(life: Life, clock: StandingClock) -> None:
    tools = [{"type": "function", "function": {"name": "get_weather"}}]
    run = await a_run(life, "CALL get_weather {}", tools=tools)
    await eventually(life, run, is_in("requires_action"))
    clock.advance(601)

    looking = life.backend.list_runs(run["thread_id"], PAGE)
    begun = await begun_outside(looking)
    listed = await asyncio.create_task(looking)

    assert begun is None
    assert [one["status"] for one in listed["data"]] == ["expired"]


async def test_a_stream_is_followed_on_the_loop(life: Life) -> None:
    run = await a_run(life, "SAY hello")

    following = life.backend.follow_run(run["thread_id"], run["id"])
    begun = await begun_outside(following)
    await (await asyncio.create_task(following)).aclose()  # type: ignore[attr-defined]

    assert begun is None
