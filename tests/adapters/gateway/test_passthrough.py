"""Everything that is not an Assistants request goes to the service behind."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp
import pytest

from tests.adapters.loopback_service import LoopbackService
from tests.adapters.scripted_backend import ScriptedBackend
from threadbridge.settings import Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread

KEY = "tb-0123456789abcdef"


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def test_both_bodies_stream_at_the_same_time(
    http: aiohttp.ClientSession, url: str, service: LoopbackService
) -> None:
    came_back = asyncio.Event()

    async def sent_in_two_halves() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.wait_for(came_back.wait(), 5)
        yield b"second"

    async with http.post(f"{url}/files", data=sent_in_two_halves()) as response:
        first = await response.content.readany()
        came_back.set()
        rest = await response.content.read()

    assert (first, rest) == (b"first", b"second")


async def test_a101_path_query_and_headers_arrive_as_they_were_sent(
    http: aiohttp.ClientSession, url: str, service: LoopbackService
) -> None:
    headers = {"X-Mine": "1", "Connection": "x-hop", "X-Hop": "dropped", "Authorization": "Bearer sk-clients-own"}

    async with http.get(f"{url}/files/a%2Fb?limit=2&q=%C3%A4", headers=headers) as response:
        assert response.headers["x-request-id"] == "req_behind"

    asked = service.requests[0]
    assert (asked.method, asked.path, asked.query) == ("GET", "/v1/files/a/b", "limit=2&q=%C3%A4")
    assert asked.headers["x-mine"] == "1"
    assert asked.headers["authorization"] == "Bearer sk-clients-own"
    assert "x-hop" not in asked.headers


@pytest.mark.parametrize("prefix", ["/openai", "/openai/v1"])
async def test_azures_paths_reach_the_service_as_its_own(
    http: aiohttp.ClientSession, url: str, service: LoopbackService, prefix: str
) -> None:
    async with http.get(f"{url.removesuffix('/v1')}{prefix}/models?api-version=2024-05-01") as response:
        assert response.status == 200

    assert service.requests[0].path == "/v1/models"


async def test_the_configured_key_takes_the_place_of_the_clients(
    http: aiohttp.ClientSession, guarded_url: str, service: LoopbackService
) -> None:
    async with http.get(f"{guarded_url}/models?limit=1", headers={"api-key": KEY}) as response:
        assert response.status == 200

    asked = service.requests[0]
    assert asked.headers["authorization"] == "Bearer sk-upstream"
    assert "api-key" not in asked.headers
    assert asked.query == "limit=1&api-version=v1"


async def test_large_bodies_pass_that_an_assistants_request_could_not_have(
    http: aiohttp.ClientSession, url: str, service: LoopbackService
) -> None:
    upload = bytes(range(256)) * 20_000

    async with http.post(f"{url}/files", data=io.BytesIO(upload)) as response:
        assert await response.read() == upload


async def test_a_service_that_cannot_be_reached_is_a_502_that_says_what_to_do(http: aiohttp.ClientSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = f"127.0.0.1:{nobody.getsockname()[1]}"
    settings = Settings(upstream=UpstreamSettings(base_url=f"http://{address}/v1"))

    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as url:
        async with http.get(f"{url}/models") as response:
            error = (await response.json())["error"]

    assert response.status == 502
    assert error["message"].startswith(f"The upstream service, {address}, could not be reached")


async def test_the_simulator_answers_in_the_place_of_a_service(http: aiohttp.ClientSession) -> None:
    request = {"model": "gpt-4.1", "input": "hello there world", "stream": True}

    with run_gateway_in_thread(Settings(simulate=True), open_backend=ScriptedBackend().open_backend) as url:
        async with http.post(f"{url}/responses", json=request) as response:
            body = await response.text()

    assert response.content_type == "text/event-stream"
    assert "ECHO: hello there world" in body
    assert body.count("event: response.output_text.delta") > 1
