"""Requests that are not the Assistants API's, on their way through an in-process transport, bodies piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import TYPE_CHECKING, cast

from threadbridge.ports import PassedRequest, WireResponse
from threadbridge.wire import decoded, own_path

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncByteStream, SyncByteStream


class NotOursError(Exception):
    """The backend has nothing to say about this request: it is for the service behind, its body untouched."""


def assistants_path(url: httpx2.URL, base: str) -> str | None:
    """The path from `/assistants` or `/threads` on, without its escapes (`wire.decoded`); None where it has none."""
    raw_path = url.raw_path
    path = decoded(raw_path.partition(b"?")[0].decode("ascii")) if b"%2" in raw_path else url.path
    return own_path(path, base=base)


def below(request: httpx2.Request, base: str) -> str:
    """The path below the client's base URL, percent-escapes and all."""
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    return "/" + path.removeprefix(base).lstrip("/")


def passed_request(request: httpx2.Request, base: str, body: AsyncIterator[bytes]) -> PassedRequest:
    """The request with its body still to come."""
    return PassedRequest(
        request.method,
        below(request, base),
        query=tuple(request.url.params.multi_items()) if request.url.query else (),
        headers=dict(request.headers.items()),
        body=body,
    )


async def pieces_of_loop(request: httpx2.Request) -> AsyncGenerator[bytes]:
    """The body of a request made on this event loop."""
    async for piece in cast("AsyncByteStream", request.stream):
        yield piece


async def pieces_of_thread(request: httpx2.Request) -> AsyncGenerator[bytes]:
    """The body of a request made on a thread: files are read on others, so that nobody else waits for them."""
    pieces = iter(cast("SyncByteStream", request.stream))
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def taken(response: WireResponse | None) -> WireResponse:
    """The answer, or NotOursError."""
    if response is None:
        raise NotOursError
    return response
