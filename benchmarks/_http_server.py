"""A minimal HTTP/1.1 server that sends prepared bytes."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias


class Chunk(NamedTuple):
    """Bytes to send and the delay in seconds before them."""

    data: bytes
    delay: float = 0.0


#: Returns the complete response to a request: method, target, body.
RequestHandler: TypeAlias = Callable[[str, str, bytes], Sequence[Chunk]]


def make_json_response(body: bytes, *, status: str = "200 OK", delay: float = 0.0) -> Sequence[Chunk]:
    """A JSON response in one chunk."""
    head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return [Chunk(head.encode() + body, delay)]


def make_event_stream(pieces: Sequence[Chunk]) -> Sequence[Chunk]:
    """A chunked `text/event-stream` response."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    framed = [Chunk(b"%x\r\n%b\r\n" % (len(piece.data), piece.data), piece.delay) for piece in pieces]
    return [Chunk(head), *framed, Chunk(b"0\r\n\r\n")]


class _Connection(asyncio.Protocol):
    """One keep-alive connection; requests are answered sequentially."""

    def __init__(self, handler: RequestHandler) -> None:
        self._handler = handler
        self._buffer = b""
        self._send_task: asyncio.Task[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 -- asyncio's signature
        if self._send_task is not None:
            self._send_task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._serve_next()

    def _serve_next(self) -> None:
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if self._send_task is not None or not end:
            return
        length = _parse_content_length(head)
        if len(rest) < length:
            return
        self._buffer = rest[length:]
        method, target, _ = head.split(b"\r\n", 1)[0].decode("ascii").split(" ", 2)
        self._send(self._handler(method, target, rest[:length]))

    def _send(self, chunks: Sequence[Chunk]) -> None:
        assert self._transport is not None
        if any(chunk.delay for chunk in chunks):
            self._send_task = asyncio.get_running_loop().create_task(self._send_slowly(chunks))
        else:
            self._transport.write(b"".join(chunk.data for chunk in chunks))
            self._serve_next()

    async def _send_slowly(self, chunks: Sequence[Chunk]) -> None:
        assert self._transport is not None
        for chunk in chunks:
            await asyncio.sleep(chunk.delay)
            self._transport.write(chunk.data)
        self._send_task = None
        self._serve_next()


def _parse_content_length(head: bytes) -> int:
    _, found, after = head.lower().partition(b"\r\ncontent-length:")
    return int(after.split(b"\r\n", 1)[0]) if found else 0


async def _serve(handler: RequestHandler) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(handler), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    print(f"Listening on http://127.0.0.1:{port}/v1", flush=True)
    # Ends with the parent process, whose end of standard input then closes.
    await asyncio.to_thread(sys.stdin.buffer.read)
    server.close()


def serve(handler: RequestHandler) -> None:
    """Serve on a free loopback port, named on the first line of stdout, until stdin is closed."""
    asyncio.run(_serve(handler))
