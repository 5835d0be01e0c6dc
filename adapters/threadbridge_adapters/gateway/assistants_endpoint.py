"""The Assistants API over HTTP and SSE: reads the request, dispatches it, and sends the response."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import parse_qsl

from starlette.types import Receive, Scope, Send

from threadbridge.ports import Backend, WireRequest
from threadbridge.wire import decode_path, dispatch_request
from threadbridge.wire.event_stream import KEEP_ALIVE_FRAME
from threadbridge_adapters.gateway.access_checks import get_request_context
from threadbridge_adapters.stream_buffer import LoopStreamBuffer

#: Bytes beyond the body limit that are still read and discarded, so that the client receives the error.
MAX_DISCARDED_BYTES: Final = 64 * 1024 * 1024

_BETA: Final = "openai-beta"


class AssistantsEndpoint:
    """Answers requests to the Assistants API; the router has matched the path."""

    def __init__(self, backend: Backend, *, max_body_bytes: int, keep_alive_seconds: float) -> None:
        self._backend = backend
        self._max_body_bytes = max_body_bytes
        self._keep_alive_seconds = keep_alive_seconds

    async def handle_request(self, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request. `path` begins with `/assistants` or `/threads`."""
        body = await _read_body(receive, self._max_body_bytes)
        if body is None:
            return
        query = scope["query_string"].decode("latin-1")
        request = WireRequest(
            method=scope["method"],
            path=path,
            query=tuple(parse_qsl(query, keep_blank_values=True)) if query else (),
            headers=_parse_headers(scope),
            body=body,
        )
        context = get_request_context(scope)
        response = await dispatch_request(self._backend, context, request, max_body_bytes=self._max_body_bytes)
        if isinstance(response.body, bytes):
            headers = {**response.headers, "content-length": str(len(response.body))}
            await send(_build_response_start(response.status, headers))
            await send({"type": "http.response.body", "body": response.body})
        else:
            await send(_build_response_start(response.status, response.headers))
            await self._send_stream(response.body, receive, send)

    async def _send_stream(self, frames: AsyncIterator[bytes], receive: Receive, send: Send) -> None:
        """Send the frames as they arrive. A client that disconnects is detached; the run continues (A100, C3)."""
        buffer = LoopStreamBuffer(frames)
        if self._keep_alive_seconds > 0:
            buffer.start_keep_alive(self._keep_alive_seconds, KEEP_ALIVE_FRAME)

        async def detach_on_disconnect() -> None:
            while (await receive())["type"] != "http.disconnect":
                continue
            buffer.detach()

        disconnect_watcher = asyncio.create_task(detach_on_disconnect())
        try:
            while (chunk := await buffer.read_chunk()) is not None:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            disconnect_watcher.cancel()
            await buffer.aclose()
        await send({"type": "http.response.body", "body": b""})


async def _read_body(receive: Receive, limit: int) -> bytes | None:
    """The body, truncated to `limit` + 1 bytes if it is too long; None if the client disconnected before its end."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more and size <= limit + MAX_DISCARDED_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        part: bytes = message.get("body", b"")
        if size <= limit:
            parts.append(part[: limit + 1 - size])
        size += len(part)
        more = message.get("more_body", False)
    return b"".join(parts)


def get_request_path(scope: Scope) -> str:
    """The path of a request; an escaped slash in it stays escaped (see `decode_path`)."""
    raw_path: bytes = scope.get("raw_path") or b""
    if b"%2" not in raw_path:
        return str(scope["path"])
    return decode_path(raw_path.partition(b"?")[0].decode("latin-1"))


def _parse_headers(scope: Scope) -> Mapping[str, str]:
    """The headers by name. The beta header is a list and may be repeated; of other headers the last one is used."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name == _BETA and name in headers else value
    return headers


def _build_response_start(status: int, headers: Mapping[str, str]) -> dict[str, object]:
    return {
        "type": "http.response.start",
        "status": status,
        "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
    }
