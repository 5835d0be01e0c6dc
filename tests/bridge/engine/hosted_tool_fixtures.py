"""A backend with hosted tools, and everything behind it at hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonMapping, JsonObject, RunObject
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.errors import BridgeError, StoreError
from threadbridge.ports import BlobStore, ObjectKind, Store
from threadbridge.settings import Limits, Settings
from threadbridge_adapters.blobs import open_blob_store
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store


class PausedRequest:
    """A request that stands still until it may go on."""

    def __init__(self) -> None:
        self.is_reached, self.may_continue = asyncio.Event(), asyncio.Event()


class ControllableUpstream(SimulatedUpstream):
    """The simulator, with calls that fail or stand still on demand, named by the end of `METHOD path`."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.failures: dict[str, BridgeError] = {}
        self._paused: dict[str, PausedRequest] = {}
        self.calls: list[str] = []

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        await self._intercept(f"{method} {path}")
        return await super().request(method, path, body)

    @asynccontextmanager
    async def download(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        await self._intercept(f"GET {path}")
        async with super().download(path) as content:
            yield content

    def pause(self, end: str) -> PausedRequest:
        """Let the next such request stand still."""
        paused = self._paused[end] = PausedRequest()
        return paused

    async def _intercept(self, request_line: str) -> None:
        self.calls.append(request_line)
        for end in [end for end in self._paused if request_line.endswith(end)]:
            paused = self._paused.pop(end)
            paused.is_reached.set()
            await paused.may_continue.wait()
        for end, error in self.failures.items():
            if request_line.endswith(end):
                raise error


@dataclass
class HostedToolEnvironment:
    """A backend with everything behind it at hand."""

    backend: ResponsesBackend
    upstream: ControllableUpstream
    store: Store
    blobs: BlobStore
    clock: ManualClock

    async def upload_file(self, text: str = "Filip likes cake.", name: str = "foods.txt") -> str:
        async def content() -> AsyncIterator[bytes]:
            yield text.encode()

        fields = {"purpose": "assistants"}
        file = await self.upstream.upload("/files", filename=name, content=content(), fields=fields)
        return str(file["id"])

    async def run_to_end(self, text: str, *file_ids: str, tools: tuple[str, ...] = ("code_interpreter",)) -> RunObject:
        """A finished run on a new thread."""
        assistant = await self.backend.create_assistant(
            CONTEXT, {"model": "gpt-4o", "tools": [{"type": kind} for kind in tools]}
        )
        attachments = [{"file_id": file_id, "tools": [{"type": "file_search"}]} for file_id in file_ids]
        message = {"role": "user", "content": text, "attachments": attachments}
        thread = await self.backend.create_thread(CONTEXT, {"messages": [message]})
        return await self.run_again(thread["id"], assistant["id"])

    async def run_again(self, thread_id: str, assistant_id: str) -> RunObject:
        created = await self.backend.create_run(CONTEXT, thread_id, {"assistant_id": assistant_id})
        for _ in range(500):
            run = (await self.backend.retrieve_run(CONTEXT, thread_id, created["id"])).run
            if run["status"] not in ("queued", "in_progress"):
                return run
            await asyncio.sleep(0.01)
        raise AssertionError("the run does not end")

    async def list_rows(self, kind: ObjectKind) -> list[JsonMapping]:
        page = await self.store.read(lambda session: session.get_page(kind, limit=100, order="asc"), tenant="default")
        return list(page.data)

    async def wait_until(self, condition: Callable[[], Awaitable[bool]], *, hours: int = 0) -> None:
        """Look until it is as wanted; between two looks so many hours pass on the clock of the backend."""
        for _ in range(500):
            if await condition():
                return
            self.clock.advance(3600 * hours)
            await asyncio.sleep(0.01)
        raise AssertionError("it does not come to that")

    async def wait_for_cleanup(self) -> None:
        """Let time pass until there is no errand."""
        await self.wait_until(lambda: self.has_cleanup_intents(0), hours=2)

    async def has_a_cleanup_intent(self) -> bool:
        return bool(await self.list_rows(ObjectKind.CLEANUP_INTENT))

    async def has_cleanup_intents(self, count: int) -> bool:
        return len(await self.list_rows(ObjectKind.CLEANUP_INTENT)) == count

    async def has_blob(self, blob: str) -> bool:
        try:
            return await self.read_blob(blob) != b""
        except StoreError:
            return False

    async def read_blob(self, blob: str) -> bytes:
        return b"".join([piece async for piece in self.blobs.read(blob)])

    async def list_containers(self) -> list[JsonObject]:
        data: list[JsonObject] = (await self.upstream.request("GET", "/containers"))["data"]
        return data

    async def list_vector_stores(self) -> list[JsonObject]:
        data: list[JsonObject] = (await self.upstream.request("GET", "/vector_stores"))["data"]
        return data


@asynccontextmanager
async def open_environment(*, limits: Limits | None = None) -> AsyncGenerator[HostedToolEnvironment]:
    clock = ManualClock()
    upstream = ControllableUpstream(Simulator(clock=clock))
    store, blobs = await open_store(":memory:"), open_blob_store(None)
    settings = Settings(simulate=True, limits=limits or Limits())
    backend = assemble_backend(settings, store=store, upstream=upstream, clock=clock, blobs=blobs)
    try:
        yield HostedToolEnvironment(backend, upstream, store, blobs, clock)
    finally:
        await backend.aclose()
