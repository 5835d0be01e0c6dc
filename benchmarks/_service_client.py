"""A low-overhead client: JSON requests, JSON or raw event responses, keep-alive connections."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

#: Sent with every request; the proxies check the key, the gateway requires the beta header.
HEADERS: Mapping[str, str] = {
    "authorization": "Bearer sk-benchmark",
    "content-type": "application/json",
    "openai-beta": "assistants=v2",
}


@dataclass(frozen=True, slots=True)
class StreamedResponse:
    """The received events of one stream."""

    body: bytes
    seconds_to_first_delta: float


class ServiceClient:
    """Sends requests to one service."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The parsed response. Raises RuntimeError for an error status."""
        data = None if body is None else orjson.dumps(body)
        async with self._session.request(method, self._url + path, data=data, headers=HEADERS) as response:
            answer = await response.read()
            _check_status(path, response.status, answer)
        parsed: dict[str, Any] = orjson.loads(answer)
        return parsed

    async def stream(self, path: str, body: Mapping[str, Any], *, delta: bytes) -> StreamedResponse:
        """Read a stream to its end, and record when `delta` first occurs in it."""
        started = time.perf_counter()
        first: float | None = None
        received = bytearray()
        async with self._session.post(self._url + path, data=orjson.dumps(body), headers=HEADERS) as response:
            async for piece in response.content.iter_any():
                received += piece
                if first is None and delta in received:
                    first = time.perf_counter() - started
            _check_status(path, response.status, bytes(received))
        if first is None:
            raise RuntimeError(f"no {delta.decode()} in the stream of {path}: {received[-300:].decode()}")
        return StreamedResponse(bytes(received), first)

    async def iterate_pieces(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[tuple[float, bytes]]:
        """The pieces of a stream as they arrive, each with the time (`time.perf_counter`)."""
        async with self._session.post(self._url + path, data=orjson.dumps(body), headers=HEADERS) as response:
            if response.status != 200:
                _check_status(path, response.status, await response.read())
            async for piece in response.content.iter_any():
                yield time.perf_counter(), piece


def _check_status(path: str, status: int, answer: bytes) -> None:
    if status != 200:
        raise RuntimeError(f"{path} answered {status}: {answer[:500].decode(errors='replace')}")


@asynccontextmanager
async def open_client(url: str) -> AsyncGenerator[ServiceClient]:
    """A client of `url`; its connections are closed with the context."""
    async with aiohttp.ClientSession() as session:
        yield ServiceClient(session, url)
