"""Requests that wait for a busy thread: in line, bounded, and right across processes that share a store."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from tests.emulated_service import message_text
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import RunObject
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.engine.thread_queue import ThreadQueue
from threadbridge.ports import ObjectKind, Session, Store
from threadbridge.service.run_state import ThreadBusy
from threadbridge.settings import Settings
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

PATIENT = Settings.model_validate({"simulate": True, "policies": {"busy_thread": "queue"}})


class Thread:
    """Takes one request after another, once it is free; remembers whom."""

    def __init__(self) -> None:
        self.free = False
        self.taken: list[str] = []

    async def take(self, who: str) -> str:
        if not self.free:
            raise ThreadBusy("busy")
        self.taken.append(who)
        return who

    async def is_free(self) -> bool:
        return self.free


def wait(room: ThreadQueue, thread: Thread, who: str) -> asyncio.Task[str]:
    return asyncio.ensure_future(
        room.run_when_free(lambda: thread.take(who), thread_id="thread_1", is_free=thread.is_free)
    )


async def pass_time(clock: ManualClock) -> None:
    """Enough looks for everybody in a short line."""
    for _ in range(20):
        clock.advance(0.3)
        await asyncio.sleep(0)
        await asyncio.sleep(0)


async def test_those_who_wait_are_served_in_the_order_of_their_arrival() -> None:
    clock, thread = ManualClock(), Thread()
    room = ThreadQueue(clock, max_waiting=10, wait_seconds=60)
    waiting = [wait(room, thread, who) for who in "abc"]
    await asyncio.sleep(0.01)

    thread.free = True
    waiting.append(wait(room, thread, "d"))
    await pass_time(clock)

    assert [await task for task in waiting] == list("abcd")
    assert thread.taken == list("abcd")


async def test_whoever_gives_up_does_not_hold_up_the_next() -> None:
    clock, thread = ManualClock(), Thread()
    room = ThreadQueue(clock, max_waiting=10, wait_seconds=60)
    first, second, third = (wait(room, thread, who) for who in "abc")
    await asyncio.sleep(0.01)

    first.cancel()
    second.cancel()
    thread.free = True
    await pass_time(clock)

    assert (await third, thread.taken) == ("c", ["c"])


async def test_without_seats_nobody_waits() -> None:
    thread = Thread()

    with pytest.raises(ThreadBusy):
        await wait(ThreadQueue(ManualClock(), max_waiting=0, wait_seconds=60), thread, "a")


async def test_a_closed_room_sends_everybody_away() -> None:
    clock, thread = ManualClock(), Thread()
    room = ThreadQueue(clock, max_waiting=10, wait_seconds=60)
    waiting = [wait(room, thread, who) for who in "ab"]
    await asyncio.sleep(0.01)

    room.close()
    await pass_time(clock)

    assert [type(error) for error in await asyncio.gather(*waiting, return_exceptions=True)] == [ThreadBusy] * 2


async def opened(path: Path) -> tuple[Store, ResponsesBackend]:
    """A process of its own, as far as the store can tell."""
    store = await open_store(f"sqlite:///{path}")
    return store, assemble_backend(PATIENT, store=store, upstream=SimulatedUpstream(Simulator()))


def _everything(thread_id: str, session: Session) -> tuple[list[str], list[RunObject]]:
    texts = [message_text(entry.message) for entry in session.list_entries(thread_id) if entry.message is not None]
    return texts, list(session.get_page(ObjectKind.RUN, limit=100, order="asc", thread_id=thread_id).data)


async def test_processes_that_share_a_store_lose_and_double_nothing(tmp_path: Path) -> None:
    store, one = await opened(tmp_path / "threads.db")
    _, other = await opened(tmp_path / "threads.db")
    assistant = await one.create_assistant(CONTEXT, {"model": "gpt-4o"})
    thread_id = (await one.create_thread(CONTEXT, {"messages": [{"role": "user", "content": "first"}]}))["id"]
    said = [f"{process} {number}" for process in ("one", "other") for number in range(10)]

    async def say(text: str) -> None:
        backend = one if text.startswith("one") else other
        await backend.create_message(CONTEXT, thread_id, {"role": "user", "content": text})
        await backend.create_run(CONTEXT, thread_id, {"assistant_id": assistant["id"]})

    await asyncio.gather(*map(say, said))
    await one.aclose()
    await other.aclose()

    store, last = await opened(tmp_path / "threads.db")
    texts, runs = await store.read(lambda session: _everything(thread_id, session), tenant="default")
    await last.aclose()
    assert Counter(text for text in texts if not text.startswith("ECHO")) == Counter(["first", *said])
    assert [run["status"] for run in runs] == ["completed"] * len(said)
    assert len([text for text in texts if text.startswith("ECHO")]) == len(said)
