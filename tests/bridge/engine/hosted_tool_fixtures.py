"""A backend with hosted tools, and everything behind it at hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.clocks import StandingClock
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.errors import BridgeError, StoreError
from threadbridge.ports import BlobStore, ObjectKind, Store, Wire
from threadbridge.settings import Limits, Settings
from threadbridge_adapters.blobs import open_blobs
from threadbridge_adapters.composition import assemble
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store


class Held:
    """A request that stands still until it may go on."""

    def __init__(self) -> None:
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()


class Service(SimulatedUpstream):
    """The simulator, with calls that fail or stand still on demand, named by the end of `METHOD path`."""

    def __init__(self, simulator: Simulator) -> None:
        super().__init__(simulator)
        self.fails: dict[str, BridgeError] = {}
        self._held: dict[str, Held] = {}
        self.calls: list[str] = []

    async def request(self, method: str, path: str, body: Wire | None = None) -> Wire:
        await self._look(f"{method} {path}")
        return await super().request(method, path, body)

    @asynccontextmanager
    async def download(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        await self._look(f"GET {path}")
        async with super().download(path) as content:
            yield content

    def hold(self, end: str) -> Held:
        """Let the next such request stand still."""
        held = self._held[end] = Held()
        return held

    async def _look(self, asked: str) -> None:
        self.calls.append(asked)
        for end in [end for end in self._held if asked.endswith(end)]:
            held = self._held.pop(end)
            held.reached.set()
            await held.go_on.wait()
        for end, error in self.fails.items():
            if asked.endswith(end):
                raise error


@dataclass
class Place:
    """A backend with everything behind it at hand."""

    backend: ResponsesBackend
    service: Service
    store: Store
    blobs: BlobStore
    clock: StandingClock

    async def file(self, text: str = "Filip likes cake.", name: str = "foods.txt") -> str:
        async def content() -> AsyncIterator[bytes]:
            yield text.encode()

        fields = {"purpose": "assistants"}
        file = await self.service.upload("/files", filename=name, content=content(), fields=fields)
        return str(file["id"])

    async def run(self, text: str, *attached: str, tools: tuple[str, ...] = ("code_interpreter",)) -> Wire:
        """A finished run on a new thread."""
        assistant = await self.backend.create_assistant(
            {"model": "gpt-4o", "tools": [{"type": kind} for kind in tools]}
        )
        attachments = [{"file_id": file_id, "tools": [{"type": "file_search"}]} for file_id in attached]
        message = {"role": "user", "content": text, "attachments": attachments}
        thread = await self.backend.create_thread({"messages": [message]})
        return await self.again(thread["id"], assistant["id"])

    async def again(self, thread_id: str, assistant_id: str) -> Wire:
        created = await self.backend.create_run(thread_id, {"assistant_id": assistant_id})
        for _ in range(500):
            run = (await self.backend.retrieve_run(thread_id, created["id"])).run
            if run["status"] not in ("queued", "in_progress"):
                return run
            await asyncio.sleep(0.01)
        raise AssertionError("the run does not end")

    async def rows(self, kind: ObjectKind) -> list[Wire]:
        page = await self.store.read(lambda session: session.get_page(kind, limit=100, order="asc"), tenant="default")
        return list(page.data)

    async def eventually(self, reached: Callable[[], Awaitable[bool]], *, hours: int = 0) -> None:
        """Look until it is as wanted; between two looks so many hours pass on the clock of the backend."""
        for _ in range(500):
            if await reached():
                return
            self.clock.advance(3600 * hours)
            await asyncio.sleep(0.01)
        raise AssertionError("it does not come to that")

    async def errands_end(self) -> None:
        """Let time pass until there is no errand."""
        await self.eventually(lambda: self.has_errands(0), hours=2)

    async def has_errands(self, count: int) -> bool:
        return len(await self.rows(ObjectKind.CLEANUP_INTENT)) == count

    async def has_content(self, blob: str) -> bool:
        try:
            return await self.content(blob) != b""
        except StoreError:
            return False

    async def content(self, blob: str) -> bytes:
        return b"".join([piece async for piece in self.blobs.read(blob)])

    async def containers(self) -> list[Wire]:
        data: list[Wire] = (await self.service.request("GET", "/containers"))["data"]
        return data

    async def stores(self) -> list[Wire]:
        data: list[Wire] = (await self.service.request("GET", "/vector_stores"))["data"]
        return data


@asynccontextmanager
async def place(*, limits: Limits | None = None) -> AsyncGenerator[Place]:
    clock = StandingClock()
    service = Service(Simulator(clock=clock))
    store, blobs = await open_store(":memory:"), open_blobs(None, beside=None)
    settings = Settings(simulate=True, limits=limits or Limits())
    backend = assemble(settings, store=store, upstream=service, clock=clock, blobs=blobs)
    try:
        yield Place(backend, service, store, blobs, clock)
    finally:
        await backend.aclose()
