"""A service on loopback that records its requests and streams each request body back while it arrives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from starlette.types import Receive, Scope, Send

from threadbridge_adapters.gateway import serve_in_thread


@dataclass
class ReceivedRequest:
    """One received request. `pieces` are the chunks of its body."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body_chunks: list[bytes] = field(default_factory=list[bytes])
    #: Address and port of the connection's other end.
    peer: tuple[str, int] | None = None


class LoopbackService:
    """Echoes bodies chunk by chunk; `url` is set while it runs."""

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        self.url = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _handle_lifespan(receive, send)
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        received = ReceivedRequest(scope["method"], scope["path"], scope["query_string"].decode(), headers)
        received.peer = scope.get("client")
        self.requests.append(received)
        kind = headers.get("content-type", "application/json").encode()
        response_headers = [
            (b"content-type", kind),
            (b"x-request-id", b"req_behind"),
            (b"access-control-allow-origin", b"*"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": response_headers})
        more = True
        while more:
            message = await receive()
            piece: bytes = message.get("body", b"")
            received.body_chunks.append(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            more = message.get("more_body", False)
        await send({"type": "http.response.body", "body": b"" if received.body_chunks != [b""] else b"{}"})


@contextmanager
def run_loopback_service() -> Generator[LoopbackService]:
    """The service on a free port while the context lasts."""
    service = LoopbackService()

    @asynccontextmanager
    async def open_service() -> AsyncGenerator[LoopbackService]:
        yield service

    with serve_in_thread(open_service()) as service.url:
        yield service


async def _handle_lifespan(receive: Receive, send: Send) -> None:
    for phase in ("startup", "shutdown"):
        await receive()
        await send({"type": f"lifespan.{phase}.complete"})
