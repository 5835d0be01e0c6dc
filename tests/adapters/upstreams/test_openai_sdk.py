"""The real upstream beyond responses: JSON calls, uploads and downloads, over a socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.policy import HTTP
from typing import cast

import pytest
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from tests.asgi_server import serve_app
from threadbridge.errors import UpstreamError
from threadbridge.settings import EndpointSettings
from threadbridge_adapters.upstreams.openai_sdk import OpenAIUpstream, open_sdk_upstream

PIECE = bytes(range(256)) * 256


async def stores(request: Request) -> Response:
    return JSONResponse({"asked": request.method, "query": request.url.query, "body": (await request.body()).decode()})


async def files(request: Request) -> Response:
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    purpose, file = message_from_bytes(head + await request.body(), policy=HTTP).iter_parts()
    received = cast("bytes", file.get_payload(decode=True))
    answer = {"name": file.get_filename(), "purpose": purpose.get_content().strip(), "bytes": len(received)}
    return JSONResponse(answer)


async def content(request: Request) -> Response:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield PIECE

    return StreamingResponse(pieces())


async def cut_content(request: Request) -> Response:
    return Response(PIECE, headers={"content-length": str(len(PIECE) + 1)})


async def no_file(request: Request) -> Response:
    error = {"message": "No such File object: file-x", "type": "invalid_request_error", "param": "id", "code": None}
    return JSONResponse({"error": error}, 404, headers={"x-request-id": "req_1"})


APP = Starlette(
    routes=[
        Route("/v1/vector_stores/vs_1", stores, methods=["GET", "POST", "DELETE"]),
        Route("/v1/files", files, methods=["POST"]),
        Route("/v1/files/file-1/content", content),
        Route("/v1/files/file-cut/content", cut_content),
        Route("/v1/files/file-x{rest:path}", no_file, methods=["GET", "POST"]),
    ]
)


@asynccontextmanager
async def upstream() -> AsyncGenerator[OpenAIUpstream]:
    async with serve_app(APP) as url:
        settings = EndpointSettings(base_url=f"{url}/v1", api_key=SecretStr("sk-test-key"), max_retries=0)
        opened = open_sdk_upstream(settings)
        try:
            yield opened
        finally:
            await opened.aclose()


async def three_pieces() -> AsyncIterator[bytes]:
    for _ in range(3):
        await asyncio.sleep(0)
        yield PIECE


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_a_call_without_a_body_sends_none(method: str) -> None:
    async with upstream() as service:
        answer = await service.request(method, "/vector_stores/vs_1?limit=2")

    assert answer == {"asked": method, "query": "limit=2", "body": ""}


async def test_a_call_with_a_body_sends_it_as_json() -> None:
    async with upstream() as service:
        answer = await service.request("POST", "/vector_stores/vs_1", {"name": "Ünlü"})

    assert answer == {"asked": "POST", "query": "", "body": '{"name":"Ünlü"}'}


async def test_a_refused_call_keeps_what_the_service_said() -> None:
    async with upstream() as service:
        with pytest.raises(UpstreamError) as caught:
            await service.request("GET", "/files/file-x")

    error = caught.value
    assert (error.status, error.message, error.param, error.request_id) == (
        404,
        "No such File object: file-x",
        "id",
        "req_1",
    )


async def test_an_upload_arrives_whole_with_its_name_and_fields() -> None:
    async with upstream() as service:
        answer = await service.upload(
            "/files", filename='a "b".csv', content=three_pieces(), fields={"purpose": "assistants"}
        )

    assert answer == {"name": "a %22b%22.csv", "purpose": "assistants", "bytes": 3 * len(PIECE)}


async def test_a_download_comes_piece_by_piece() -> None:
    async with upstream() as service, service.download("/files/file-1/content") as pieces:
        received = [piece async for piece in pieces]

    assert b"".join(received) == PIECE * 3
    assert len(received) > 1


async def test_a_refused_download_raises_when_it_is_entered() -> None:
    async with upstream() as service:
        with pytest.raises(UpstreamError, match="No such File object"):
            async with service.download("/files/file-x/content"):
                pass


async def test_a_download_that_breaks_off_raises_in_the_middle() -> None:
    async with upstream() as service, service.download("/files/file-cut/content") as pieces:
        with pytest.raises(UpstreamError, match="broke off in the middle of a file"):
            _ = [piece async for piece in pieces]
