"""The `Upstream` port on a simulator in the same process, without HTTP."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TypeVar, cast
from urllib.parse import parse_qsl

import orjson

from threadbridge.api_types import JsonMapping, JsonObject, ResponseEvent, ResponseObject
from threadbridge.errors import UpstreamError
from threadbridge.ports import PassthroughRequest, RequestContext, UpstreamCapabilities, UpstreamResponse, WireResponse
from threadbridge_adapters.simulator._errors import ServiceError
from threadbridge_adapters.simulator._event_stream import ConnectionBrokenError
from threadbridge_adapters.simulator._routes import handle_request
from threadbridge_adapters.simulator._simulator import Simulator
from threadbridge_adapters.stream_buffer import close_stream
from threadbridge_adapters.upstreams.multipart import MultipartForm

_T = TypeVar("_T")


class SimulatedStream:
    """The events of one simulated response. Iterate once, then close."""

    def __init__(self, events: AsyncGenerator[JsonObject], request_id: str) -> None:
        # the simulator sends whole objects of the service; the types list what ThreadBridge reads of them
        self._events = cast("AsyncGenerator[ResponseEvent]", _translate_errors(events, request_id))
        self._source = events
        self._request_id = request_id

    @property
    def request_id(self) -> str | None:
        """The simulator's request id."""
        return self._request_id

    def __aiter__(self) -> AsyncIterator[ResponseEvent]:
        return self._events

    async def aclose(self) -> None:
        """Close the stream; an unfinished response is not stored."""
        await self._events.aclose()
        await self._source.aclose()  # a generator that was never started does not close its source


class SimulatedUpstream:
    """`ports.Upstream` on a simulator. Closing it stops the simulator's background responses."""

    name = ""
    base_url = None
    capabilities = UpstreamCapabilities()

    def __init__(self, simulator: Simulator) -> None:
        self.simulator = simulator

    async def create_response(self, body: bytes) -> UpstreamResponse:
        """A whole response."""
        try:
            response, request_id = await self.simulator.create_response(orjson.loads(body))
        except ServiceError as error:
            raise _error_from_service(error) from error
        except ConnectionBrokenError as error:
            raise _make_connection_error(None) from error
        return UpstreamResponse(cast("ResponseObject", response), request_id)

    async def stream_response(self, body: bytes) -> SimulatedStream:
        """The events of a response; returns when the request has been accepted."""
        try:
            events, request_id = await self.simulator.stream_response(orjson.loads(body))
        except ServiceError as error:
            raise _error_from_service(error) from error
        return SimulatedStream(events, request_id)

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        """The JSON response to any other request."""
        headers = {"content-type": "application/json"}
        return await self._request_json(
            method, path, headers, None if body is None else _iterate_once(orjson.dumps(body))
        )

    async def upload(
        self, path: str, *, filename: str, content: AsyncIterator[bytes], fields: Mapping[str, str]
    ) -> JsonObject:
        """The bytes of a file in chunks."""
        form = MultipartForm(fields, filename)
        return await self._request_json("POST", path, {"content-type": form.content_type}, form.encode(content))

    @asynccontextmanager
    async def download(self, path: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The response body in chunks."""
        response = await self._handle_request(_make_request("GET", path))
        if response.status >= 400:
            raise _error_from_response(response)
        yield _iterate_once(response.body) if isinstance(response.body, bytes) else response.body

    async def handle_passthrough(self, _context: RequestContext, request: PassthroughRequest) -> WireResponse:
        """The response to any request below `/v1`, also for errors. Streams raise UpstreamError where they break."""
        return await self._handle_request(request)

    async def _handle_request(self, request: PassthroughRequest) -> WireResponse:
        response = await handle_request(self.simulator, request)
        if isinstance(response.body, bytes):
            return response
        return replace(response, body=_translate_errors(response.body))

    async def aclose(self) -> None:
        """Stop background responses."""
        await self.simulator.aclose()

    async def _request_json(
        self, method: str, path: str, headers: Mapping[str, str], body: AsyncIterator[bytes] | None
    ) -> JsonObject:
        response = await self._handle_request(_make_request(method, path, headers=headers, body=body))
        if response.status >= 400:
            raise _error_from_response(response)
        return _parse_json(response)


def _make_request(
    method: str, path: str, *, headers: Mapping[str, str] | None = None, body: AsyncIterator[bytes] | None = None
) -> PassthroughRequest:
    path, _, query = path.partition("?")
    return PassthroughRequest(method, path, tuple(parse_qsl(query)), headers or JsonObject(), body)


async def _iterate_once(whole: bytes) -> AsyncIterator[bytes]:
    yield whole


def _parse_json(response: WireResponse) -> JsonObject:
    if not isinstance(response.body, bytes):
        raise UpstreamError("The simulator responds to this path with bytes, not with JSON.")
    parsed: JsonObject = orjson.loads(response.body)
    return parsed


def _error_from_response(response: WireResponse) -> UpstreamError:
    error = _parse_json(response)["error"]
    return UpstreamError(
        error["message"],
        status=response.status,
        type=error["type"],
        param=error["param"],
        code=error["code"],
        request_id=response.headers["x-request-id"],
        body=error,
    )


async def _translate_errors(source: AsyncIterator[_T], request_id: str | None = None) -> AsyncGenerator[_T]:
    """The same stream, which raises UpstreamError where the script breaks the connection."""
    try:
        async for each in source:
            yield each
    except ConnectionBrokenError as error:
        raise _make_connection_error(request_id) from error
    finally:
        await close_stream(source)


def _error_from_service(error: ServiceError) -> UpstreamError:
    return UpstreamError(
        error.message,
        status=error.status,
        type=error.type,
        param=error.param,
        code=error.code,
        request_id=error.request_id,
        body=error.body["error"],
    )


def _make_connection_error(request_id: str | None) -> UpstreamError:
    return UpstreamError("The connection was closed before the response was complete.", request_id=request_id)
