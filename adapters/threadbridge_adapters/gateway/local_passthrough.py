"""What is not an Assistants request and the backend answers itself: files of its own, a simulated service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final
from urllib.parse import parse_qsl

from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import BridgeError
from threadbridge.ports import HandlesPassthrough, PassthroughRequest, WireResponse
from threadbridge_adapters.gateway.error_responses import reply_with
from threadbridge_adapters.stream_buffer import close

#: Bytes of a refused upload that are still read (and dropped), so that the client gets to read why it was refused.
DISCARDED_BYTES: Final = 64 * 1024 * 1024


class PassageDoor:
    """An ASGI endpoint that asks the backend first, and then whoever is behind it. Paths begin with `/v1`."""

    def __init__(self, backend: HandlesPassthrough, behind: ASGIApp) -> None:
        self._backend = backend
        self._behind = behind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _Body(scope, receive)
        try:
            response = await self._backend.handle_passthrough(_passed(scope, body))
        except _ClientLeftError:
            return
        except BridgeError as error:
            await reply_with(error, scope, receive, send)
            return
        if response is None:
            await self._behind(scope, receive, send)
            return
        await body.discard()
        await _answer(response)(scope, receive, send)


class _ClientLeftError(Exception):
    """The client left before its request was complete."""


class _Body:
    """The body of a request on its way in."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.is_there = any(name in {b"content-length", b"transfer-encoding"} for name, _ in headers)
        self._receive = receive
        self._more = self.is_there

    async def pieces(self) -> AsyncGenerator[bytes]:
        """The pieces as they come. Raises when the client leaves."""
        while self._more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._more = False
                raise _ClientLeftError
            self._more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def discard(self) -> None:
        """Read what is left of the body, up to a limit."""
        size = 0
        async with aclosing(self.pieces()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > DISCARDED_BYTES:
                    return


class _Streaming(StreamingResponse):
    """A body as it comes. Where it breaks off, only breaking off tells the client that it is not whole."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except BridgeError:
            return  # the server closes a connection whose body is unfinished


def _passed(scope: Scope, body: _Body) -> PassthroughRequest:
    raw_path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    return PassthroughRequest(
        scope["method"],
        raw_path.decode("latin-1").removeprefix("/v1"),
        query=tuple(parse_qsl(query.decode("latin-1"), keep_blank_values=True)),
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
        body=body.pieces() if body.is_there else None,
    )


def _answer(response: WireResponse) -> Response:
    headers = dict(response.headers)
    if isinstance(response.body, bytes):
        return Response(response.body, response.status, headers)
    return _Streaming(_closing(response.body), response.status, headers)


async def _closing(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    try:
        async for piece in body:
            yield piece
    finally:
        await close(body)
