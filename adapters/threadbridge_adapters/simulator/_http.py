"""The simulator over HTTP, below `/v1`. Needs the `gateway` extra."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from threadbridge.ports import PassthroughRequest
from threadbridge_adapters.simulator._event_stream import ConnectionBrokenError
from threadbridge_adapters.simulator._routes import handle_request
from threadbridge_adapters.simulator._simulator import Simulator


class _SimulatedStreamingResponse(StreamingResponse):
    """Streams a body; if the script breaks the connection, the body stays incomplete."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except ConnectionBrokenError:
            return  # the server closes a connection with an incomplete body


class _Endpoint:
    """Handles every path, because unknown paths also get the service's error."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        passthrough_request = PassthroughRequest(
            request.method,
            request.url.path.removeprefix("/v1"),
            query=tuple(request.query_params.multi_items()),
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.stream(),
        )
        wire_response = await handle_request(self._simulator, passthrough_request)
        if isinstance(wire_response.body, bytes):
            response = Response(wire_response.body, wire_response.status, dict(wire_response.headers))
        else:
            response = _SimulatedStreamingResponse(
                wire_response.body, wire_response.status, dict(wire_response.headers)
            )
        await response(scope, receive, send)


def app(simulator: Simulator) -> Starlette:
    """The simulator as an ASGI application; paths start with `/v1`. Shutting it down closes the simulator."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        yield
        await simulator.aclose()

    application = Starlette(lifespan=lifespan)
    application.mount("/v1", _Endpoint(simulator))
    return application
