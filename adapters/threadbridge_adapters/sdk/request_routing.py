"""Requests that are not the Assistants API's, on their way through an in-process transport, bodies piece by piece."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import parse_qsl

from threadbridge.ports import PassthroughRequest, WireResponse
from threadbridge.wire import decode_path, find_api_path

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncByteStream, SyncByteStream


class NotOursError(Exception):
    """The backend has nothing to say about this request: it is for the service behind, its body untouched."""


class Way(NamedTuple):
    """Where a request to the Assistants API goes: its path from `/assistants` or `/threads` on, and what it asks."""

    path: str
    query: Sequence[tuple[str, str]]


def way_of(url: httpx2.URL, base: str) -> Way | None:
    """None where the URL is not the Assistants API's."""
    path, _, query = url.raw_path.decode("ascii").partition("?")
    return _way(path, query, base)


def way_to(url: str, base: str) -> Way | None:
    """The same for a URL as the SDK writes it, absolute and escaped; None, too, where that is not enough to know."""
    place, _, query = url.partition("?")
    _, slash, path = place.partition("://")[2].partition("/")
    # What else there may be is for those who know all about URLs.
    is_plain = bool(slash) and "#" not in url and "/." not in place
    return _way(f"/{path}", query, base) if is_plain else None


def _way(path: str, query: str, base: str) -> Way | None:
    own = find_api_path(decode_path(path) if "%" in path else path, base=base)
    return None if own is None else Way(own, parse_qsl(query, keep_blank_values=True) if query else ())


def below(request: httpx2.Request, base: str) -> str:
    """The path below the client's base URL, percent-escapes and all."""
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    return "/" + path.removeprefix(base).lstrip("/")


def passed_request(request: httpx2.Request, base: str, body: AsyncIterator[bytes]) -> PassthroughRequest:
    """The request with its body still to come."""
    return PassthroughRequest(
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
