"""Responses of a service that repeats the key it was sent: the client of the gateway does not see it."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncGenerator, AsyncIterator

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from tests.adapters.scripted_backend import ScriptedBackend
from tests.asgi_server import serve_app
from threadbridge.settings import Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread
from threadbridge_adapters.openai_http.secrets_mask import SecretsMask

KEY = "sk-upstream-0123456789"
HEADER_SECRET = "a secret of the proxy"


async def echo_error(request: Request) -> Response:
    key = request.headers["authorization"].removeprefix("Bearer ")
    body = json.dumps({"error": {"message": f"Wrong: {key}, {request.headers['x-proxy-key']}, sk-abcd***wxyz"}})
    encoding = request.query_params.get("encoding", "")
    if encoding == "gzip":
        assert request.headers["accept-encoding"] == "gzip"
        return Response(gzip.compress(body.encode()), 401, {"content-encoding": "gzip"}, "application/json")
    if encoding:
        return Response(body, 401, {"content-encoding": encoding}, "application/json")
    return Response(body, 401, media_type="application/json")


async def echo_events(request: Request) -> Response:
    key = request.headers["authorization"]

    async def iterate() -> AsyncIterator[str]:
        for letter in f'data: {{"key": "{key}"}}\n\n':
            yield letter

    return StreamingResponse(iterate(), media_type="text/event-stream")


async def long_error(request: Request) -> Response:
    return Response("x" * (1024 * 1024 + 1), 500, media_type="text/plain")


APP = Starlette(
    routes=[Route("/v1/files", echo_error), Route("/v1/events", echo_events), Route("/v1/long", long_error)]
)


@pytest.fixture
async def url() -> AsyncGenerator[str]:
    async with serve_app(APP) as service:
        upstream = UpstreamSettings(
            base_url=f"{service}/v1", api_key=SecretStr(KEY), headers={"x-proxy-key": HEADER_SECRET}
        )
        with run_gateway_in_thread(Settings(upstream=upstream), open_backend=ScriptedBackend().open_backend) as gateway:
            yield gateway


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_an_error_is_relayed_without_secrets(http: aiohttp.ClientSession, url: str, encoding: str) -> None:
    async with http.get(f"{url}/files?encoding={encoding}", headers={"accept-encoding": "gzip, br"}) as response:
        message = (await response.json())["error"]["message"]

    assert (response.status, message) == (401, "Wrong: ***, ***, ***")


async def test_an_error_that_cannot_be_read_is_not_relayed(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/files?encoding=snappy") as response:
        message = (await response.json())["error"]["message"]

    assert response.status == 502
    assert "an encoding that was not asked for" in message


async def test_an_error_of_any_length_is_bounded(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/long") as response:
        message = (await response.json())["error"]["message"]

    assert (response.status, "more than 1048576 bytes" in message) == (502, True)


async def test_a_stream_is_relayed_without_secrets(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(f"{url}/events") as response:
        body = await response.text()

    assert (response.status, body) == (200, 'data: {"key": "Bearer ***"}\n\n')


@given(
    st.lists(st.sampled_from(["sk-upstr", "eam-0123456789", KEY, "sk-", "s", "x", "upstream", HEADER_SECRET[:9]])),
    st.integers(1, 7),
)
def test_a_stream_in_any_chunks_is_masked_as_a_whole(words: list[str], size: int) -> None:
    mask = SecretsMask(KEY, {"x-proxy-key": HEADER_SECRET}, {})
    text = "".join(words).encode()
    stream = mask.open_stream()

    masked = b"".join(stream.receive_data(text[at : at + size]) for at in range(0, len(text), size)) + stream.finish()

    assert masked == mask.mask_json(text)
    assert KEY.encode() not in masked
