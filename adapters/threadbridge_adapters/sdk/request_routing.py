"""Classifies HTTP requests: to the Assistants API, or to another path below the client's base URL."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import parse_qsl

from threadbridge.ports import PassthroughRequest, WireRequest
from threadbridge.wire import decode_path, find_api_path

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncByteStream, SyncByteStream


class ApiTarget(NamedTuple):
    """Path (beginning with `/assistants` or `/threads`) and query of a request to the Assistants API."""

    path: str
    query: Sequence[tuple[str, str]]


def parse_api_target(url: httpx2.URL, base: str) -> ApiTarget | None:
    """The target of a URL, or None if it is not an Assistants URL. `base` is the path of the client's base URL."""
    path, _, query = url.raw_path.decode("ascii").partition("?")
    api_path = find_api_path(decode_path(path) if "%" in path else path, base=base)
    return None if api_path is None else ApiTarget(api_path, parse_qsl(query, keep_blank_values=True) if query else ())


def get_path_below_base(request: httpx2.Request, base: str) -> str:
    """The path below the client's base URL, with its percent-escapes."""
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    return "/" + path.removeprefix(base).lstrip("/")


def build_wire_request(request: httpx2.Request, target: ApiTarget) -> WireRequest:
    """An Assistants request whose body has been read."""
    # `headers.items()` of the library repeats a lookup for every name.
    headers = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}
    return WireRequest(request.method, target.path, query=target.query, headers=headers, body=request.content)


def build_passthrough_request(request: httpx2.Request, base: str, body: AsyncIterator[bytes]) -> PassthroughRequest:
    """Any other request, its body not yet read."""
    return PassthroughRequest(
        request.method,
        get_path_below_base(request, base),
        query=tuple(request.url.params.multi_items()) if request.url.query else (),
        headers=dict(request.headers.items()),
        body=body,
    )


async def iterate_async_body(request: httpx2.Request) -> AsyncGenerator[bytes]:
    """The body of a request that was created on this event loop."""
    async for piece in cast("AsyncByteStream", request.stream):
        yield piece


async def iterate_sync_body(request: httpx2.Request) -> AsyncGenerator[bytes]:
    """The body of a request from another thread, read on a worker thread because it may read files."""
    pieces = iter(cast("SyncByteStream", request.stream))
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece
