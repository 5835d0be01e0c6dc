"""Asking `answer` for something, and reading what it says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from tests.bridge.wire.recording_backend import RecordingBackend
from tests.request_context import CONTEXT
from threadbridge.ports import WireRequest, WireResponse
from threadbridge.wire import dispatch_request

BETA = {"openai-beta": "assistants=v2"}
MAX_BODY_BYTES = 1000
CONTENT = "step_details.tool_calls[*].file_search.results[*].content"


async def send_request(
    backend: RecordingBackend,
    method: str,
    path: str,
    *,
    query: tuple[tuple[str, str], ...] = (),
    headers: Mapping[str, str] = BETA,
    body: bytes = b"",
) -> WireResponse:
    """The response to a request of these parts."""
    request = WireRequest(method, path, query, headers, body)
    return await dispatch_request(backend.as_backend(), CONTEXT, request, max_body_bytes=MAX_BODY_BYTES)


def parse_body(response: WireResponse) -> Any:
    """The JSON of a whole body."""
    assert isinstance(response.body, bytes)
    return orjson.loads(response.body)


async def read_stream(response: WireResponse) -> bytes:
    """All bytes of a streamed body."""
    assert isinstance(response.body, AsyncIterator)
    return b"".join([frame async for frame in response.body])
