"""One request to an ASGI application, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote

from starlette.types import ASGIApp, Message


class ASGIResponse(NamedTuple):
    """The whole response; a stream is read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes


async def send_request(
    app: ASGIApp, method: str, target: str, *, headers: Mapping[str, str], body: bytes = b""
) -> ASGIResponse:
    """Send a request; `target` is path and query as in a request line."""
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": unquote(path),
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "headers": [(name.encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()],
    }
    incoming: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    outgoing: list[Message] = []

    async def receive() -> Message:
        return incoming.pop() if incoming else await asyncio.get_running_loop().create_future()  # it stays to the end

    async def send(message: Message) -> None:
        outgoing.append(message)

    await app(scope, receive, send)
    start, *rest = outgoing
    response_headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in start["headers"]}
    return ASGIResponse(start["status"], response_headers, b"".join(message.get("body", b"") for message in rest))
