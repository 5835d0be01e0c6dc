"""A Responses service that answers with whatever a test tells it to, and can break off."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import orjson
from starlette.types import Receive, Scope, Send

from threadbridge_adapters.gateway import serving

REQUEST_ID = "req_of_the_service"


class HangUp(Exception):
    """Raised in an application, uvicorn closes the connection on the spot."""


@dataclass(frozen=True)
class Answer:
    """What the service sends, whatever it was asked."""

    status: int = 200
    body: bytes = b""
    content_type: bytes = b"application/json"
    hangs_up: bool = False


def refusal(status: int, message: str, code: str | None = None) -> Answer:
    """A refusal in the envelope of OpenAI's services."""
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return Answer(status, orjson.dumps({"error": error}))


class BrokenService:
    """Answers every request with `answer`; `url` is set while it runs."""

    def __init__(self) -> None:
        self.answer = Answer()
        self.url = ""
        self.asked: list[Mapping[bytes, bytes]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            for phase in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{phase}.complete"})
            return
        self.asked.append(dict(scope["headers"]))
        answer = self.answer
        headers = [(b"content-type", answer.content_type), (b"x-request-id", REQUEST_ID.encode())]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": True})
        if answer.hangs_up:
            raise HangUp
        await send({"type": "http.response.body", "body": b""})


@contextmanager
def broken_service() -> Generator[BrokenService]:
    """The service on a free port while the context lasts."""
    service = BrokenService()

    @asynccontextmanager
    async def opened() -> AsyncGenerator[BrokenService]:
        yield service

    with serving(opened()) as service.url:
        yield service
