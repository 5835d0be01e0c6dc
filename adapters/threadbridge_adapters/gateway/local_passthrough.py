"""Pass-through requests that the backend answers itself: its own files, or a simulated service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final
from urllib.parse import parse_qsl

from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import BridgeError
from threadbridge.ports import HandlesPassthrough, PassthroughRequest, WireResponse
from threadbridge_adapters.gateway.api_key_auth import get_request_context
from threadbridge_adapters.gateway.error_responses import send_error
from threadbridge_adapters.stream_buffer import close_stream

#: Bytes of a rejected upload that are still read and discarded, so that the client receives the error.
MAX_DISCARDED_BYTES: Final = 64 * 1024 * 1024


class LocalPassthrough:
    """An ASGI endpoint that tries the backend first and then the next endpoint. Paths begin with `/v1`."""

    def __init__(self, backend: HandlesPassthrough, fallback: ASGIApp) -> None:
        self._backend = backend
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _RequestBody(scope, receive)
        try:
            response = await self._backend.handle_passthrough(
                get_request_context(scope), _build_passthrough_request(scope, body)
            )
        except _ClientDisconnectError:
            return
        except BridgeError as error:
            await send_error(error, scope, receive, send)
            return
        if response is None:
            await self._fallback(scope, receive, send)
            return
        await body.discard()
        await _build_response(response)(scope, receive, send)


class _ClientDisconnectError(Exception):
    """The client disconnected before its request was complete."""


class _RequestBody:
    """The body of a request, read as a stream."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.is_present = any(name in {b"content-length", b"transfer-encoding"} for name, _ in headers)
        self._receive = receive
        self._has_more = self.is_present

    async def iterate(self) -> AsyncGenerator[bytes]:
        """The chunks as they arrive. Raises if the client disconnects."""
        while self._has_more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._has_more = False
                raise _ClientDisconnectError
            self._has_more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def discard(self) -> None:
        """Read and discard the rest of the body, up to a limit."""
        size = 0
        async with aclosing(self.iterate()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > MAX_DISCARDED_BYTES:
                    return


class _AbortingStreamingResponse(StreamingResponse):
    """Send a body as it arrives. If it breaks off, closing the connection is the only signal that it is incomplete."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except BridgeError:
            return  # the server closes a connection with an incomplete body


def _build_passthrough_request(scope: Scope, body: _RequestBody) -> PassthroughRequest:
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return PassthroughRequest(
        scope["method"],
        raw_path.decode("latin-1").removeprefix("/v1"),
        query=tuple(parse_qsl(query.decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=body.iterate() if body.is_present else None,
    )


def _build_response(response: WireResponse) -> Response:
    headers = dict(response.headers)
    if isinstance(response.body, bytes):
        return Response(response.body, response.status, headers)
    return _AbortingStreamingResponse(_iterate_and_close(response.body), response.status, headers)


async def _iterate_and_close(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    try:
        async for piece in body:
            yield piece
    finally:
        await close_stream(body)
