"""Handlers of the simulator's routes, by the kind of their requests and responses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, TypeAlias

import orjson

from threadbridge.api_types import JsonObject
from threadbridge.ports import PassthroughRequest, WireResponse
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator._file_contents import FileBytes, FileBytesWriter, ParsedForm, read_form
from threadbridge_adapters.simulator._simulator import ReceivedRequest, Simulator

_VERSION_HEADER = {"openai-version": "2020-10-01"}


@dataclass(frozen=True, slots=True)
class RouteCall:
    """A request to a route, with the ids in its path."""

    request: PassthroughRequest
    ids: Mapping[str, str]

    @property
    def query(self) -> Mapping[str, str]:
        return dict(self.request.query)


#: Handles the requests of one route.
RouteHandler: TypeAlias = Callable[[Simulator, RouteCall], Awaitable[WireResponse]]


def path_route(operation: Callable[[Simulator, Mapping[str, str]], JsonObject]) -> RouteHandler:
    """A route with only the ids in its path."""

    async def handle(simulator: Simulator, call: RouteCall) -> WireResponse:
        record_request(simulator, call)
        return make_json_response(simulator, operation(simulator, call.ids))

    return handle


def query_route(operation: Callable[[Simulator, Mapping[str, str], Mapping[str, str]], JsonObject]) -> RouteHandler:
    """A route with a query string."""

    async def handle(simulator: Simulator, call: RouteCall) -> WireResponse:
        record_request(simulator, call)
        return make_json_response(simulator, operation(simulator, call.ids, call.query))

    return handle


def json_route(operation: Callable[[Simulator, Mapping[str, str], Any], JsonObject]) -> RouteHandler:
    """A route with a JSON body."""

    async def handle(simulator: Simulator, call: RouteCall) -> WireResponse:
        body = await read_json_body(simulator, call)
        record_request(simulator, call, body)
        return make_json_response(simulator, operation(simulator, call.ids, body))

    return handle


def form_route(
    operation: Callable[[Simulator, Mapping[str, str], ParsedForm], JsonObject],
    *,
    field: str,
    max_bytes: int | None = None,
) -> RouteHandler:
    """A route with a form that has a file in `field`, of at most `max_bytes`."""

    async def handle(simulator: Simulator, call: RouteCall) -> WireResponse:
        limit = min(max_bytes or simulator.limits.file_bytes, simulator.limits.file_bytes)
        writer = FileBytesWriter(limit=limit, too_large=errors.file_too_large(limit))
        kind = call.request.headers.get("content-type", "")
        form = await read_form(iterate_body(call), kind, file_field=field, writer=writer)
        record_request(simulator, call, dict(form.fields))
        return make_json_response(simulator, operation(simulator, call.ids, form))

    return handle


def download_route(operation: Callable[[Simulator, Mapping[str, str]], FileBytes]) -> RouteHandler:
    """A route that responds with the bytes of a file."""

    async def handle(simulator: Simulator, call: RouteCall) -> WireResponse:
        record_request(simulator, call)
        content = operation(simulator, call.ids)
        headers = {**_make_headers(simulator), "content-length": str(content.size)}
        return WireResponse(200, {**headers, "content-type": "application/octet-stream"}, content.iterate_chunks())

    return handle


async def read_json_body(simulator: Simulator, call: RouteCall) -> Any:
    """The parsed body; an empty body means `{}`."""
    raw = bytearray()
    async for chunk in iterate_body(call):
        raw += chunk
        if len(raw) > simulator.limits.body_bytes:
            raise errors.ServiceError("Request body too large.", status=413)
    if not raw:
        return {}
    try:
        return simulator.quirks.transform_request(call.request.path, orjson.loads(raw))
    except orjson.JSONDecodeError as error:
        raise errors.ServiceError("We could not parse the JSON body of your request.") from error


async def iterate_body(call: RouteCall) -> AsyncIterator[bytes]:
    """The chunks of the body as they arrive."""
    if call.request.body is not None:
        async for chunk in call.request.body:
            yield chunk


def record_request(simulator: Simulator, call: RouteCall, body: Any = None) -> None:
    """Append the request to the simulator's `requests`."""
    simulator.requests.append(ReceivedRequest(call.request.method, call.request.path, body))


def make_json_response(simulator: Simulator, body: JsonObject, request_id: str | None = None) -> WireResponse:
    headers = {**_make_headers(simulator, request_id), "content-type": "application/json"}
    return WireResponse(200, headers, orjson.dumps(simulator.quirks.transform_response(body)))


def make_event_stream_response(
    simulator: Simulator, events: AsyncGenerator[JsonObject], request_id: str | None = None
) -> WireResponse:
    headers = {**_make_headers(simulator, request_id), "content-type": "text/event-stream; charset=utf-8"}
    return WireResponse(
        200, headers, _encode_frames(simulator.quirks.transform_events(events) if simulator.quirks else events)
    )


def make_error_response(simulator: Simulator, error: errors.ServiceError) -> WireResponse:
    """The error envelope with its headers."""
    headers = {**error.headers, "x-request-id": error.request_id or simulator.new_id("req")}
    body = simulator.quirks.transform_error(error.body)
    return WireResponse(error.status, {**headers, "content-type": "application/json"}, orjson.dumps(body))


async def _encode_frames(events: AsyncGenerator[JsonObject]) -> AsyncGenerator[bytes]:
    """§8: `event:` equals the event's type, and there is no final marker. Only other servers send events without it."""
    async with aclosing(events):
        async for event in events:
            name = event.get("type") or event.get("sse_event")
            data = {key: value for key, value in event.items() if key != "sse_event"} if "type" not in event else event
            yield b"%bdata: %b\n\n" % (b"event: %b\n" % name.encode() if name else b"", orjson.dumps(data))


def _make_headers(simulator: Simulator, request_id: str | None = None) -> dict[str, str]:
    return {"x-request-id": request_id or simulator.new_id("req"), **_VERSION_HEADER}
