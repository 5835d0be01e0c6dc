"""Heads of requests are bounded: whoever sends one without an end is not listened to for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from threadbridge_adapters.gateway.server import MAX_HEADER_BYTES, ConnectionLimits, HeaderLimitProtocol

BEGINNING = b"POST /v1/threads HTTP/1.1\r\nHost: any\r\nContent-Length: 0\r\n"
TEN_THOUSAND = b"a" * 10_000


class Client(asyncio.Transport):
    """The other end of a connection."""

    def __init__(self) -> None:
        super().__init__()
        self.got = b""
        self.is_closed = False

    def write(self, data: Any) -> None:
        self.got += data

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed

    def pause_reading(self) -> None:
        """It goes on sending."""

    def resume_reading(self) -> None:
        """It never stopped."""


async def answer(pieces: Sequence[bytes]) -> Client:
    """What a client got that sent these pieces and then waits."""
    config = uvicorn.Config(Response("Hello"), log_config=None)
    config.load()
    client, protocol = Client(), HeaderLimitProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.connection_made(client)
    for piece in pieces:
        protocol.data_received(piece)
    await asyncio.sleep(0.01)
    return client


@pytest.mark.parametrize(
    "pieces",
    [
        [BEGINNING + b"\r\n"],
        [BEGINNING, b"x-a: " + b"a" * (MAX_HEADER_BYTES // 2), b"a" * 1000, b"\r\n\r\n"],
        [BEGINNING, b"x-a: 1\r\n\r\n" + BEGINNING, b"x-a: 2\r\n\r\n"],
    ],
    ids=["at once", "piece by piece", "two requests"],
)
async def test_a_head_of_common_length_is_taken_however_it_comes(pieces: list[bytes]) -> None:
    client = await answer(pieces)

    assert client.got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert not client.is_closed


@pytest.mark.parametrize(
    "pieces",
    [
        [BEGINNING + b"x-a: " + b"a" * MAX_HEADER_BYTES + b"\r\n\r\n"],
        [BEGINNING, *[b"x-a: " + TEN_THOUSAND + b"\r\n"] * 7],
        [BEGINNING, b"x-a: ", *[TEN_THOUSAND] * 7],
        [b"GET /v1/threads?", *[TEN_THOUSAND] * 7],
    ],
    ids=["at once", "many headers", "a header without an end", "an address without an end"],
)
async def test_a_head_that_is_too_long_is_refused_and_its_end_not_waited_for(pieces: list[bytes]) -> None:
    client = await answer(pieces)

    assert client.got.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert client.got.count(b"HTTP/1.1") == 1
    assert client.is_closed


@pytest.mark.parametrize(
    "pieces",
    [
        [],
        [b"GET /v1/thr"],
        [BEGINNING],
        [b"POST /v1/threads HTTP/1.1\r\nHost: any\r\nContent-Length: 9\r\n\r\n{"],
    ],
    ids=["nothing", "an address", "headers", "a body"],
)
async def test_a_request_that_does_not_arrive_in_time_is_rejected(pieces: list[bytes]) -> None:
    client = await send_slowly(pieces, ConnectionLimits(header_seconds=0.005, body_seconds=0.005))

    assert client.got.startswith(b"HTTP/1.1 408 ")
    assert client.is_closed


async def test_blank_lines_do_not_keep_a_connection_open() -> None:
    limits = ConnectionLimits(header_seconds=0.005)

    client = await send_slowly([BEGINNING + b"\r\n", b"\r\n"], limits, pause=0.002)

    assert client.got.startswith(b"HTTP/1.1 200 OK")
    assert client.is_closed


async def test_a_body_that_keeps_arriving_and_an_idle_connection_stay() -> None:
    limits = ConnectionLimits(header_seconds=0.02, body_seconds=0.02)
    head = b"POST /v1/threads HTTP/1.1\r\nHost: any\r\nContent-Length: 9\r\n\r\n"

    client = await send_slowly([head, *[b"a"] * 9], limits, pause=0.005)

    assert client.got.count(b"HTTP/1.1 200 OK") == 1
    assert not client.is_closed


async def test_connections_have_a_bound() -> None:
    config = uvicorn.Config(Response("Hello"), log_config=None)
    config.load()
    state = ServerState()
    clients = [Client() for _ in range(3)]

    for client in clients:
        protocol = HeaderLimitProtocol(config=config, server_state=state, app_state={})
        protocol.limits = ConnectionLimits(max_connections=2)
        protocol.connection_made(client)

    assert [client.is_closed for client in clients] == [False, False, True]
    assert clients[2].got.startswith(b"HTTP/1.1 503 ")


async def send_slowly(pieces: Sequence[bytes], limits: ConnectionLimits, *, pause: float = 0.0) -> Client:
    """The client after it sent these pieces, and after every limit."""
    config = uvicorn.Config(read_body, log_config=None)
    config.load()
    client, protocol = Client(), HeaderLimitProtocol(config=config, server_state=ServerState(), app_state={})
    protocol.limits = limits
    protocol.connection_made(client)
    for piece in pieces:
        protocol.data_received(piece)
        await asyncio.sleep(pause)
    await asyncio.sleep(0.03)
    return client


async def read_body(scope: Scope, receive: Receive, send: Send) -> None:
    await Request(scope, receive).body()
    await Response("Hello")(scope, receive, send)
