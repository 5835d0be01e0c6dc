"""A Responses service that answers with whatever a test tells it to, and can break off."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import orjson
from starlette.types import Receive, Scope, Send

from threadbridge_adapters.gateway import serve_in_thread

REQUEST_ID = "req_of_the_service"


class ConnectionAborted(Exception):
    """Raised in an application, uvicorn closes the connection on the spot."""


@dataclass(frozen=True)
class CannedResponse:
    """What the service sends, whatever it was asked."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = b"application/json"
    breaks_connection: bool = False


def make_error_response(status: int, message: str, code: str | None = None) -> CannedResponse:
    """A refusal in the envelope of OpenAI's services."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return CannedResponse(status, orjson.dumps({"error": error}))


class BrokenService:
    """Answers every request with `answer`; `url` is set while it runs."""

    def __init__(self) -> None:
        self.response = CannedResponse()
        self.url = ""
        self.request_headers: list[Mapping[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        self.request_headers.append(dict(scope["headers"]))
        answer = self.response
        headers = [(b"content-type", answer.content_type), (b"x-request-id", REQUEST_ID.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        if answer.breaks_connection:
            raise ConnectionAborted
        await send({"type": "http.response.body", "body": b""})


@contextmanager
def run_broken_service() -> Generator[BrokenService]:
    """The service on a free port while the context lasts."""
    service = BrokenService()

    @asynccontextmanager
    async def open_service() -> AsyncGenerator[BrokenService]:
        yield service

    with serve_in_thread(open_service()) as service.url:
        yield service
