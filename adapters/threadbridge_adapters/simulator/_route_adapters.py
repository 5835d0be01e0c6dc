"""Requests and answers as the simulator's routes see them, whatever carries them; kinds of routes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from threadbridge.ports import PassthroughRequest, Wire, WireResponse
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._file_bytes import Content, ContentWriter
from threadbridge_adapters.simulator._multipart_parser import Form, read_form
from threadbridge_adapters.simulator._simulator import Received, Simulator

_VERSION = {"openai-version": "2020-10-01"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that a route takes, with the ids in its path."""

    request: PassthroughRequest
    ids: Mapping[str, str]

    @property
    def query(self) -> Mapping[str, str]:
        return dict(self.request.query)


#: Parse, ask, answer: what one route does with its simulator.
Handler: TypeAlias = Callable[[Simulator, Asked], Awaitable[WireResponse]]


def looked_up(ask: Callable[[Simulator, Mapping[str, str]], Wire]) -> Handler:
    """A route that needs nothing but the ids in its path."""

    async def handle(simulator: Simulator, asked: Asked) -> WireResponse:
        note(simulator, asked)
        return answered(simulator, ask(simulator, asked.ids))

    return handle


def listed(ask: Callable[[Simulator, Mapping[str, str], Mapping[str, str]], Wire]) -> Handler:
    """A route that takes a query."""

    async def handle(simulator: Simulator, asked: Asked) -> WireResponse:
        note(simulator, asked)
        return answered(simulator, ask(simulator, asked.ids, asked.query))

    return handle


def posted(ask: Callable[[Simulator, Mapping[str, str], Any], Wire]) -> Handler:
    """A route that takes a JSON body."""

    async def handle(simulator: Simulator, asked: Asked) -> WireResponse:
        body = await json_body(simulator, asked)
        note(simulator, asked, body)
        return answered(simulator, ask(simulator, asked.ids, body))

    return handle


def sent(ask: Callable[[Simulator, Mapping[str, str], Form], Wire], *, field: str, most: int | None = None) -> Handler:
    """A route that takes a form with a file in `field`, of at most so many bytes."""

    async def handle(simulator: Simulator, asked: Asked) -> WireResponse:
        limit = min(most or simulator.limits.file_bytes, simulator.limits.file_bytes)
        writer = ContentWriter(limit=limit, too_large=errors.file_too_large(limit))
        kind = asked.request.headers.get("content-type", "")
        form = await read_form(body_of(asked), kind, file_field=field, writer=writer)
        note(simulator, asked, dict(form.fields))
        return answered(simulator, ask(simulator, asked.ids, form))

    return handle


def fetched(ask: Callable[[Simulator, Mapping[str, str]], Content]) -> Handler:
    """A route that gives the bytes of a file."""

    async def handle(simulator: Simulator, asked: Asked) -> WireResponse:
        note(simulator, asked)
        content = ask(simulator, asked.ids)
        headers = {**_headers(simulator), "content-length": str(content.size)}
        return WireResponse(200, {**headers, "content-type": "application/octet-stream"}, content.chunks())

    return handle


async def json_body(simulator: Simulator, asked: Asked) -> Any:
    """The parsed body; nothing stands for `{}`."""
    raw = bytearray()
    async for chunk in body_of(asked):
        raw += chunk
        if len(raw) > simulator.limits.body_bytes:
            raise errors.ServiceError("Request body too large.", status=413)
    if not raw:
        return {}
    try:
        return simulator.manners.asked(asked.request.path, orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise errors.ServiceError("We could not parse the JSON body of your request.") from error


async def body_of(asked: Asked) -> AsyncIterator[bytes]:
    """The pieces of the body as they come."""
    if asked.request.body is not None:
        async for chunk in asked.request.body:
            yield chunk


def note(simulator: Simulator, asked: Asked, body: Any = None) -> None:
    """Remember the request."""
    simulator.requests.append(Received(asked.request.method, asked.request.path, body))


def answered(simulator: Simulator, body: Wire, request_id: str | None = None) -> WireResponse:
    headers = {**_headers(simulator, request_id), "content-type": "application/json"}
    return WireResponse(200, headers, orjson.dumps(simulator.manners.answered(body)))


def streamed(simulator: Simulator, events: AsyncGenerator[Wire], request_id: str | None = None) -> WireResponse:
    headers = {**_headers(simulator, request_id), "content-type": "text/event-stream; charset=utf-8"}
    return WireResponse(200, headers, _frames(simulator.manners.told(events) if simulator.manners else events))


def refused(simulator: Simulator, error: errors.ServiceError) -> WireResponse:
    """The error envelope with its headers."""
    headers = {**error.headers, "x-request-id": error.request_id or simulator.new_id("req")}
    body = simulator.manners.refused(error.body)
    return WireResponse(error.status, {**headers, "content-type": "application/json"}, orjson.dumps(body))


async def _frames(events: AsyncGenerator[Wire]) -> AsyncGenerator[bytes]:
    """§8: `event:` equals the event's type, and nothing follows the last event."""
    async with aclosing(events):
        async for event in events:
            yield b"event: %b\ndata: %b\n\n" % (event["type"].encode(), orjson.dumps(event))


def _headers(simulator: Simulator, request_id: str | None = None) -> dict[str, str]:
    return {"x-request-id": request_id or simulator.new_id("req"), **_VERSION}
