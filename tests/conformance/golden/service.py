"""The product as the replay asks it: the gateway in this process, a clock that is told the time, scripted services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.clocks import StandingClock
from tests.conformance.golden.recordings import Recorded
from tests.conformance.golden.stories import is_going
from tests.conformance.golden.upstream import ScriptedConcurrencyLimit, ScriptedUpstream
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.ports import ListQuery, Wire
from threadbridge.settings import Limits, Settings
from threadbridge.wire import find_api_path
from threadbridge_adapters.composition import assemble
from threadbridge_adapters.gateway import app
from threadbridge_adapters.stores import open_store

_BETA = {"openai-beta": "assistants=v2"}
_SENT_HEADERS = frozenset({"openai-beta", "content-type", "accept"})
#: The clock jumps from exchange to exchange; no worker may be taken for dead because of it.
_LONG = 10_000_000.0


@dataclass
class Reply:
    """What came back over ASGI."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @property
    def json(self) -> Any:
        return orjson.loads(self.body) if self.body else None


class ServiceBehind:
    """Whatever is not the Assistants API is answered as it was recorded."""

    def __init__(self) -> None:
        self.expected: Recorded | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seen = self.expected
        status = 404 if seen is None or seen.status is None else seen.status
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if seen is None else body_of(seen)})


def body_of(seen: Recorded) -> bytes:
    """The recorded body of an answer."""
    if seen.response_json is not None:
        return orjson.dumps(seen.response_json)
    body = seen.response_body or b""
    return body.encode() if isinstance(body, str) else body


@dataclass(frozen=True)
class Product:
    """The gateway, and what a session decides about its surroundings."""

    gateway: ASGIApp
    backend: ResponsesBackend
    clock: StandingClock
    behind: ServiceBehind

    def at(self, time: float | None) -> None:
        """It is this time now; the clock never goes back."""
        if time is not None and time > self.clock.now():
            self.clock.advance(time - self.clock.now())

    async def send(
        self, seen: Recorded, *, path: str, query: str, body: bytes, leaves: asyncio.Event | None = None
    ) -> Reply:
        """Make a recorded request, with our ids in it; the client leaves when it is told to."""
        kept = {name: value for name, value in seen.request_headers.items() if name in _SENT_HEADERS}
        headers = {**_BETA, **kept}
        return await self.ask(seen.method or "GET", path, query=query, body=body, headers=headers, leaves=leaves)

    async def ask(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] = _BETA,
        leaves: asyncio.Event | None = None,
    ) -> Reply:
        """Make a request of these parts."""
        own = find_api_path(path)
        ours = path if own is None else f"/v1{own}"
        scope: MutableMapping[str, Any] = {
            "type": "http",
            "method": method,
            "path": ours,
            "raw_path": ours.encode(),
            "query_string": query.encode(),
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        }
        reply, parts = Reply(), list[bytes]()
        unread = [body]

        async def receive() -> Wire:
            if not unread:
                await (leaves or asyncio.Event()).wait()  # the client stays until it has its answer
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": unread.pop(), "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                reply.status = message["status"]
                reply.headers.update((name.decode(), value.decode()) for name, value in message["headers"])
            else:
                parts.append(message.get("body", b""))

        await self.gateway(scope, receive, send)
        reply.body = b"".join(parts)
        return reply

    async def post(self, path: str, body: Wire) -> Wire:
        """Make an object that the recording takes for granted."""
        reply = await self.ask("POST", path, body=orjson.dumps(body), headers={**_BETA, **_JSON})
        if reply.status != 200:
            raise CannotBeMade(f"{path}: {reply.json}")
        made: Wire = reply.json
        return made

    async def cancel_newest_run(self) -> Reply:
        """Cancel the run that was started last, whatever its thread."""
        threads = (await self.backend.list_threads(ListQuery(limit=100)))["data"]
        listed = [await self.backend.list_runs(thread["id"], ListQuery(limit=1)) for thread in threads]
        runs: list[Wire] = [run for page in listed for run in page["data"] if is_going(run)]
        newest = max(runs, key=lambda run: int(run["created_at"]))
        return await self.ask("POST", f"/v1/threads/{newest['thread_id']}/runs/{newest['id']}/cancel")


_JSON = {"content-type": "application/json"}


class CannotBeMade(Exception):
    """An object that must have been there before the recording is refused."""


@asynccontextmanager
async def product() -> AsyncGenerator[Product]:
    """A fresh product with an empty store."""
    settings = Settings(limits=Limits(lease_seconds=_LONG, drain_seconds=0))
    clock = StandingClock(0.0)
    store = await open_store(":memory:")
    backend = assemble(
        settings, store=store, upstream=ScriptedUpstream(), clock=clock, concurrency_limit=ScriptedConcurrencyLimit(1)
    )
    behind = ServiceBehind()
    try:
        yield Product(app(backend, settings, passthrough=behind), backend, clock, behind)
    finally:
        await backend.aclose()
