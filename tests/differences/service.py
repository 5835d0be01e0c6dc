"""The emulated service as a client meets it on the wire: requests in, JSON and events out, no network in between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson

from tests.clocks import StandingClock
from threadbridge.ports import Backend, Store, Wire, WireRequest, WireResponse
from threadbridge.settings import Settings
from threadbridge.sse import SSEDecoder
from threadbridge.translation.models.policy import ModelCatalog
from threadbridge.wire import dispatch_request
from threadbridge_adapters.composition import assemble
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator
from threadbridge_adapters.stores import open_store

BETA = {"openai-beta": "assistants=v2"}
MAX_BODY_BYTES = 4096 * 1024
WEATHER: Wire = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
}


class Answer(NamedTuple):
    """What came back. A refusal is told by its status; `error` is then the inside of the envelope."""

    status: int
    body: Any
    headers: Mapping[str, str]

    @property
    def error(self) -> Wire:
        error: Wire = self.body["error"]
        return error


class Told(NamedTuple):
    """One event of a stream."""

    name: str
    data: Any


@dataclass(frozen=True)
class Service:
    """A client's view of the service, and what stands behind it."""

    backend: Backend
    simulator: Simulator
    clock: StandingClock
    store: Store

    async def send(
        self,
        method: str,
        path: str,
        body: bytes = b"",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] = BETA,
    ) -> WireResponse:
        request = WireRequest(method, path, tuple((query or {}).items()), headers, body)
        return await dispatch_request(self.backend, request, max_body_bytes=MAX_BODY_BYTES)

    async def get(self, path: str, **query: str) -> Answer:
        return _read(await self.send("GET", path, query=query))

    async def post(self, path: str, **body: object) -> Answer:
        return _read(await self.send("POST", path, orjson.dumps(body)))

    async def delete(self, path: str) -> Answer:
        return _read(await self.send("DELETE", path))

    async def stream(self, path: str, **body: object) -> list[Told]:
        """All events of a streamed answer; the last one is `done`."""
        return [told async for told in self.follow(path, **body)]

    async def follow(self, path: str, **body: object) -> AsyncIterator[Told]:
        """The events of a streamed answer as they come."""
        response = await self.send("POST", path, orjson.dumps({**body, "stream": True}))
        assert not isinstance(response.body, bytes), response.body
        decoder = SSEDecoder()
        async for frame in response.body:
            for name, data, _ in decoder.receive_data(frame):
                yield Told(name, data.decode() if name == "done" else orjson.loads(data))

    # Objects, made in one line

    async def assistant(self, **settings: object) -> str:
        made = await self.post("/assistants", **{"model": "gpt-4o", **settings})
        return str(made.body["id"])

    async def thread(self, *texts: str) -> str:
        made = await self.post("/threads", messages=[{"role": "user", "content": text} for text in texts])
        return str(made.body["id"])

    async def file(self, text: str = "Filip likes cake.", *, name: str = "foods.txt") -> str:
        """The id of a file at the service behind."""

        async def content() -> AsyncIterator[bytes]:
            yield text.encode()

        fields = {"purpose": "assistants"}
        made = await SimulatedUpstream(self.simulator).upload("/files", filename=name, content=content(), fields=fields)
        return str(made["id"])

    async def start(self, text: str, *, run: Wire | None = None, **settings: object) -> Wire:
        """A new run on a thread with one message, as its creator is shown it."""
        thread = {"messages": [{"role": "user", "content": text}]}
        started = await self.post(
            "/threads/runs", assistant_id=await self.assistant(**settings), thread=thread, **(run or {})
        )
        assert started.status == 200, started.body
        created: Wire = started.body
        return created

    async def run(self, text: str, *, run: Wire | None = None, **settings: object) -> Wire:
        """A new run on a thread with one message, when it rests."""
        return await self.rested(await self.start(text, run=run, **settings))

    async def look(self, run: Wire) -> Wire:
        """The run as it is now."""
        return dict((await self.get(path_of(run))).body)

    async def rested(self, run: Wire) -> Wire:
        """The run once nothing more happens to it by itself."""
        return await until(lambda: self.look(run), lambda now: now["status"] not in _UNDER_WAY)

    async def reached(self, run: Wire, status: str) -> Wire:
        """The run once it has this status."""
        return await until(lambda: self.look(run), lambda now: now["status"] == status)

    async def answered(self, run: Wire, output: str = "sunny") -> Wire:
        """The run once its calls were answered and it rests again."""
        calls = run["required_action"]["submit_tool_outputs"]["tool_calls"]
        outputs = [{"tool_call_id": call["id"], "output": output} for call in calls]
        return await self.rested((await self.post(f"{path_of(run)}/submit_tool_outputs", tool_outputs=outputs)).body)

    async def steps(self, run: Wire) -> list[Wire]:
        """The run's steps, oldest first."""
        return list((await self.get(f"{path_of(run)}/steps", order="asc")).body["data"])

    async def messages(self, run: Wire) -> list[Wire]:
        """The messages of the run's thread, oldest first."""
        return list((await self.get(f"/threads/{run['thread_id']}/messages", order="asc")).body["data"])

    @property
    def asked(self) -> list[Wire]:
        """What the model service was asked so far."""
        return [request.body for request in self.simulator.requests]


_UNDER_WAY = ("queued", "in_progress", "cancelling")


def path_of(run: Wire) -> str:
    return f"/threads/{run['thread_id']}/runs/{run['id']}"


def text_of(message: Wire) -> str:
    return str(message["content"][0]["text"]["value"])


def names(events: Sequence[Told]) -> list[str]:
    """The names of the events, without `thread.` and the deltas."""
    return [told.name.removeprefix("thread.") for told in events if not told.name.endswith(".delta")]


async def until(look: Callable[[], Awaitable[Wire]], wanted: Callable[[Wire], bool]) -> Wire:
    """Look again and again, with a bound."""
    for _ in range(1000):
        if wanted(found := await look()):
            return found
        await asyncio.sleep(0.002)
    raise AssertionError(f"never came to be: {await look()}")


def _read(response: WireResponse) -> Answer:
    assert isinstance(response.body, bytes), "an answer in one piece was expected"
    return Answer(response.status, orjson.loads(response.body), response.headers)


@asynccontextmanager
async def emulated(*, catalog: ModelCatalog | None = None, **settings: Any) -> AsyncGenerator[Service]:
    """A fresh service; its clock stands still. `catalog` is what the model service said of its models."""
    clock, simulator, store = StandingClock(), Simulator(), await open_store(":memory:")
    backend = assemble(
        Settings.model_validate({"simulate": True, **settings}),
        store=store,
        upstream=SimulatedUpstream(simulator),
        clock=clock,
        catalog=catalog,
    )
    try:
        yield Service(backend, simulator, clock, store)
    finally:
        await backend.aclose()
