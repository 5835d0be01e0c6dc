"""A backend for tests of doors: it stores threads, streams a script, and records closed streams."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import cast

from threadbridge.api_types import (
    CreateRunBody,
    CreateThreadBody,
    DeletionStatus,
    RunObject,
    SubmitToolOutputsBody,
    ThreadObject,
)
from threadbridge.errors import InvalidRequest, NotFound
from threadbridge.ports import Backend, Event, PolledRun, RequestContext, WarningSink, discard_warning
from threadbridge.settings import Settings

THREAD_ID = "thread_abcdefghijklmnopqrstuvwx"
RUN_ID = "run_abcdefghijklmnopqrstuvwx"


class Gate:
    """Lets a coroutine in the event loop of a worker thread wait for the test."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self.exited = threading.Event()

    def open(self) -> None:
        self._opened.set()

    async def wait(self) -> None:
        try:
            while not self._opened.is_set():
                await asyncio.sleep(0.001)
        finally:
            self.exited.set()


def make_delta_event(text: str) -> Event:
    return Event(
        "thread.message.delta",
        {
            "id": "msg_abcdefghijklmnopqrstuvwx",
            "object": "thread.message.delta",
            "delta": {"content": [{"index": 0, "type": "text", "text": {"value": text}}]},
        },
    )


def make_run(run_id: str, status: str) -> RunObject:
    """A run with the keys that doors read."""
    return cast("RunObject", {"id": run_id, "object": "thread.run", "status": status})


def make_run_event(status: str) -> Event:
    return Event(f"thread.run.{status}", make_run(RUN_ID, status))


class ScriptedStream(AsyncIterator[Event]):
    """Events of a generator; sets `closed` when it is closed, even before its first event."""

    def __init__(self, events: AsyncGenerator[Event], closed: threading.Event) -> None:
        self._events = events
        self._closed = closed

    async def __anext__(self) -> Event:
        return await anext(self._events)

    async def aclose(self) -> None:
        await self._events.aclose()
        self._closed.set()


class ScriptedBackend:
    """Streams `script`, waiting at each gate in it."""

    def __init__(self, script: Sequence[Event | Gate] = ()) -> None:
        self.script = script
        self.threads: dict[str, ThreadObject] = {}
        self.produced_events: list[str] = []
        self.stream_closed = threading.Event()
        self.close_count = 0
        self.creation_gate: Gate | None = None
        self.retrieval_gate: Gate | None = None
        self.creation_done = threading.Event()
        self.submitted_bodies: list[SubmitToolOutputsBody] = []

    async def open_backend(self, settings: Settings) -> Backend:
        """The function that an entry point would name."""
        return cast("Backend", self)

    async def aclose(self) -> None:
        self.close_count += 1

    async def create_thread(self, context: RequestContext, body: CreateThreadBody) -> ThreadObject:
        if self.creation_gate is not None:
            await self.creation_gate.wait()
        thread: ThreadObject = {
            "id": THREAD_ID,
            "object": "thread",
            "created_at": 1,
            "metadata": body.get("metadata", {}),
            "tool_resources": {},
        }
        self.threads[THREAD_ID] = thread
        self.creation_done.set()
        return thread

    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> ThreadObject:
        if thread_id not in self.threads:
            raise NotFound(f"No thread found with id '{thread_id}'.")
        return self.threads[thread_id]

    async def delete_thread(self, context: RequestContext, thread_id: str) -> DeletionStatus:
        return {"id": thread_id, "object": "thread.deleted", "deleted": True}

    async def create_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: CreateRunBody,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> RunObject:
        raise InvalidRequest(f"Thread {thread_id} already has an active run {RUN_ID}.")

    async def retrieve_run(self, context: RequestContext, thread_id: str, run_id: str) -> PolledRun:
        if self.retrieval_gate is not None:
            await self.retrieval_gate.wait()
        return PolledRun(make_run(run_id, "in_progress"), poll_after_ms=250)

    async def cancel_run(self, context: RequestContext, thread_id: str, run_id: str) -> RunObject:
        return make_run(run_id, "cancelling")

    async def stream_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: CreateRunBody,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]:
        if self.creation_gate is not None:
            await self.creation_gate.wait()
        return self._play(self.script)

    async def stream_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: SubmitToolOutputsBody
    ) -> AsyncIterator[Event]:
        self.submitted_bodies.append(body)
        return self._play([make_run_event("completed")])

    def _play(self, script: Sequence[Event | Gate]) -> AsyncIterator[Event]:
        return ScriptedStream(self._produce(script), self.stream_closed)

    async def _produce(self, script: Sequence[Event | Gate]) -> AsyncGenerator[Event]:
        try:
            for step in script:
                if isinstance(step, Gate):
                    await step.wait()
                else:
                    self.produced_events.append(step.name)
                    yield step
        finally:
            self.stream_closed.set()
