"""The product as the replay calls it: the gateway in this process, a settable clock and scripted services."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, MutableMapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.conformance.recorded_sessions.recordings import RecordedExchange
from tests.conformance.recorded_sessions.run_records import is_in_flight
from tests.conformance.recorded_sessions.scripted_upstream import ScriptedConcurrencyLimit, ScriptedUpstream
from tests.manual_clock import ManualClock
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.ports import ListQuery
from threadbridge.settings import Limits, Settings
from threadbridge.wire import find_api_path
from threadbridge_adapters.composition import assemble_backend
from threadbridge_adapters.gateway import create_app
from threadbridge_adapters.stores import open_store

_BETA = {"openai-beta": "assistants=v2"}
_SENT_HEADERS = frozenset({"openai-beta", "content-type", "accept"})
#: The clock jumps from exchange to exchange; no lease may expire because of that.
_LONG = 10_000_000.0


@dataclass
class Reply:
    """The response over ASGI."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @property
    def json(self) -> Any:
        return orjson.loads(self.body) if self.body else None


class RecordedPassthrough:
    """Answers requests to other APIs with their recorded responses."""

    def __init__(self) -> None:
        self.expected: RecordedExchange | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = self.expected
        status = 404 if exchange is None or exchange.status is None else exchange.status
        headers = [(b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if exchange is None else encode_recorded_body(exchange)})


def encode_recorded_body(exchange: RecordedExchange) -> bytes:
    """The recorded body of an answer."""
    if exchange.response_json is not None:
        return orjson.dumps(exchange.response_json)
    body = exchange.response_body or b""
    return body.encode() if isinstance(body, str) else body


@dataclass(frozen=True)
class GatewayUnderTest:
    """The gateway and its environment, which a session controls."""

    gateway: ASGIApp
    backend: ResponsesBackend
    clock: ManualClock
    passthrough: RecordedPassthrough

    def set_time(self, time: float | None) -> None:
        """Advance the clock to this time; it is never set back."""
        if time is not None and time > self.clock.now():
            self.clock.advance(time - self.clock.now())

    async def send(
        self,
        exchange: RecordedExchange,
        *,
        path: str,
        query: str,
        body: bytes,
        disconnected: asyncio.Event | None = None,
    ) -> Reply:
        """Send a recorded request with the ids of the product; `disconnected` makes the client disconnect."""
        recorded_headers = {name: value for name, value in exchange.request_headers.items() if name in _SENT_HEADERS}
        headers = {**_BETA, **recorded_headers}
        return await self.request(
            exchange.method or "GET", path, query=query, body=body, headers=headers, disconnected=disconnected
        )

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: bytes = b"",
        headers: Mapping[str, str] = _BETA,
        disconnected: asyncio.Event | None = None,
    ) -> Reply:
        """Send a request."""
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

        async def receive() -> JsonObject:
            if not unread:
                await (disconnected or asyncio.Event()).wait()  # the client stays until it has its answer
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

    async def create(self, path: str, body: JsonObject) -> JsonObject:
        """Create an object that is older than the recording."""
        reply = await self.request("POST", path, body=orjson.dumps(body), headers={**_BETA, **_JSON})
        if reply.status != 200:
            raise CreationRejected(f"{path}: {reply.json}")
        created: JsonObject = reply.json
        return created

    async def cancel_newest_run(self) -> Reply:
        """Cancel the newest run of all threads."""
        threads = (await self.backend.list_threads(CONTEXT, ListQuery(limit=100)))["data"]
        listed = [await self.backend.list_runs(CONTEXT, thread["id"], ListQuery(limit=1)) for thread in threads]
        runs = [run for page in listed for run in page["data"] if is_in_flight(run)]
        newest = max(runs, key=lambda run: int(run["created_at"]))
        return await self.request("POST", f"/v1/threads/{newest['thread_id']}/runs/{newest['id']}/cancel")


_JSON = {"content-type": "application/json"}


class CreationRejected(Exception):
    """The product rejected an object that is older than the recording."""


@asynccontextmanager
async def open_gateway() -> AsyncGenerator[GatewayUnderTest]:
    """A fresh product with an empty store."""
    settings = Settings(limits=Limits(lease_seconds=_LONG, drain_seconds=0))
    clock = ManualClock(0.0)
    store = await open_store(":memory:")
    backend = assemble_backend(
        settings, store=store, upstream=ScriptedUpstream(), clock=clock, concurrency_limit=ScriptedConcurrencyLimit(1)
    )
    passthrough = RecordedPassthrough()
    try:
        yield GatewayUnderTest(create_app(backend, settings, passthrough=passthrough), backend, clock, passthrough)
    finally:
        await backend.aclose()
