"""A service with a store file that can be stopped and restarted; a trigger in the store records every run status."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import orjson

from tests.emulated_service import EmulatedService, ServiceResponse, StreamEvent
from tests.manual_clock import ManualClock
from threadbridge.api_types import MessageObject, RunObject, RunStepObject
from threadbridge.ports import ObjectKind, Session
from threadbridge.settings import HistoryMode, Settings
from threadbridge.sse import SSEDecoder
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

_SETTINGS = Settings.model_validate({"simulate": True, "limits": {"drain_seconds": 0, "cancel_wait_seconds": 0}})

_MAX_ROWS = 1000

_STATUS_TRIGGERS = """
CREATE TABLE seen (run TEXT, before TEXT, after TEXT);
CREATE TRIGGER created AFTER INSERT ON runs BEGIN INSERT INTO seen VALUES (new.id, NULL, new.status); END;
CREATE TRIGGER changed AFTER UPDATE ON runs WHEN old.status <> new.status
BEGIN INSERT INTO seen VALUES (new.id, old.status, new.status); END;
"""


class Snapshot(NamedTuple):
    """The objects of a thread, oldest first; steps by run id."""

    runs: Sequence[RunObject]
    messages: Sequence[MessageObject]
    steps: Mapping[str, Sequence[RunStepObject]]


class RestartableService:
    """Starts and stops a backend on one store file. Use it on one event loop."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "threads.db"
        self.clock = ManualClock()
        self.streams: list[asyncio.Task[list[StreamEvent]]] = []
        self.service: EmulatedService

    async def start(self, history: HistoryMode = "local", *, new_upstream: bool = True) -> None:
        """Start the backend. Without `new_upstream` the upstream keeps its state."""
        simulator = Simulator(clock=self.clock) if new_upstream else self.service.simulator
        store = await open_store(f"sqlite:///{self._path}")
        settings = _SETTINGS.model_copy(update={"history": history})
        backend = assemble_backend(settings, store=store, upstream=SimulatedUpstream(simulator), clock=self.clock)
        self.service = EmulatedService(backend, simulator, self.clock, store)

    async def record_status_changes(self) -> None:
        """Create the trigger that records statuses, once."""
        with closing(sqlite3.connect(self._path)) as database:
            database.executescript(_STATUS_TRIGGERS)

    async def stop(self) -> None:
        """Stop the backend; turns in progress are interrupted."""
        await self.service.backend.aclose()

    def list_status_changes(self) -> Sequence[tuple[str | None, str]]:
        """All recorded changes of run statuses, oldest first; a new run changes from None."""
        with closing(sqlite3.connect(self._path)) as database:
            return database.execute("SELECT before, after FROM seen").fetchall()

    async def start_stream(self, path: str, **body: object) -> ServiceResponse | None:
        """Request a stream and read it to its end in the background; return the error response, if it is one."""
        response = await self.service.send("POST", path, orjson.dumps({**body, "stream": True}))
        if isinstance(response.body, bytes):
            return ServiceResponse(response.status, orjson.loads(response.body), response.headers)
        self.streams.append(asyncio.ensure_future(_collect_events(response.body)))
        return None

    async def advance_clock(self, seconds: float) -> None:
        """Advance the clock and let waiting tasks run."""
        self.clock.advance(seconds)
        await asyncio.sleep(0.003)

    async def take_snapshot(self, thread_id: str) -> Snapshot:
        """The stored objects of a thread, read in one transaction."""
        return await self.service.store.read(lambda session: _snapshot_thread(session, thread_id), tenant="default")

    async def list_runs(self, thread_id: str) -> list[RunObject]:
        """All runs of a thread, oldest first."""
        return list((await self.service.get(f"/threads/{thread_id}/runs", order="asc", limit="100")).body["data"])


async def _collect_events(frames: AsyncIterator[bytes]) -> list[StreamEvent]:
    decoder = SSEDecoder()
    events = [event async for frame in frames for event in decoder.receive_data(frame)]
    return [StreamEvent(one.event, one.data if one.event == "done" else orjson.loads(one.data)) for one in events]


def _snapshot_thread(session: Session, thread_id: str) -> Snapshot:
    runs = session.get_page(ObjectKind.RUN, limit=_MAX_ROWS, order="asc", thread_id=thread_id).data
    messages = session.get_page(ObjectKind.MESSAGE, limit=_MAX_ROWS, order="asc", thread_id=thread_id).data
    steps = {
        run["id"]: session.get_page(ObjectKind.STEP, limit=_MAX_ROWS, order="asc", run_id=run["id"]).data
        for run in runs
    }
    return Snapshot(runs, messages, steps)
