"""Memory does not grow with a file: both ways, through the gateway and in the process."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import openai
import orjson
import pytest
from pydantic import SecretStr
from starlette.types import Receive, Scope, Send

from threadbridge.settings import Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread, serve_in_thread
from threadbridge_adapters.sdk import openai_client

_SIZE = 48 * 1024 * 1024
#: What may be held at a time, of however large a file.
_ROOM = 12 * 1024 * 1024
_PIECE = bytes(64 * 1024)


class _Sink:
    """A service that counts what it is sent, and sends as much of it as is asked for."""

    def __init__(self) -> None:
        self.received = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        more = True
        while more:
            message = await receive()
            self.received += len(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        if scope["method"] == "GET":
            for _ in range(_SIZE // len(_PIECE)):
                await send({"type": "http.response.body", "body": _PIECE, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            await send({"type": "http.response.body", "body": orjson.dumps({"id": "file-1", "object": "file"})})


@pytest.fixture(scope="module")
def sink() -> Generator[tuple[_Sink, str]]:
    made = _Sink()

    @asynccontextmanager
    async def opened() -> AsyncGenerator[_Sink]:
        yield made

    with serve_in_thread(opened()) as url:
        yield made, url


@pytest.fixture
def through_gateway(sink: tuple[_Sink, str], _no_configuration: None) -> Generator[openai.OpenAI]:
    settings = Settings(store=":memory:", upstream=UpstreamSettings(base_url=sink[1], api_key=SecretStr("sk-1")))
    with run_gateway_in_thread(settings) as url, openai.OpenAI(base_url=url, api_key="any") as client:
        yield client


@pytest.fixture
def in_process(_no_configuration: None) -> Generator[openai.OpenAI]:
    with openai_client(simulate=True) as client:
        yield client


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "large.bin"
    with path.open("wb") as opened:
        opened.truncate(_SIZE)
    return path


class _Peak:
    bytes = 0


@contextmanager
def _measured() -> Generator[_Peak]:
    """The most memory that Python's objects took while the context lasted."""
    peak = _Peak()
    gc.collect()
    tracemalloc.start()
    try:
        yield peak
        peak.bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _upload(client: openai.OpenAI, path: Path) -> str:
    with path.open("rb") as opened:
        return client.files.create(file=opened, purpose="vision").id


def _download(client: openai.OpenAI, file_id: str) -> int:
    with client.files.with_streaming_response.content(file_id) as response:
        return sum(len(piece) for piece in response.iter_bytes())


def test_an_upload_through_the_gateway_is_never_held_whole(
    through_gateway: openai.OpenAI, sink: tuple[_Sink, str], large: Path
) -> None:
    with _measured() as peak:
        _upload(through_gateway, large)

    assert sink[0].received > _SIZE
    assert peak.bytes < _ROOM


def test_a_download_through_the_gateway_is_never_held_whole(through_gateway: openai.OpenAI) -> None:
    with _measured() as peak:
        size = _download(through_gateway, "file-1")

    assert size == _SIZE
    assert peak.bytes < _ROOM


def test_a_file_in_the_process_is_never_held_whole(in_process: openai.OpenAI, large: Path) -> None:
    in_process.files.list()

    with _measured() as peak:
        size = _download(in_process, _upload(in_process, large))

    assert size == _SIZE
    assert peak.bytes < _ROOM
