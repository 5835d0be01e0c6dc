"""A Responses service over the openai SDK: the SDK configures, signs and retries; ready bytes travel (design §3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import orjson

from threadbridge.errors import UpstreamError
from threadbridge.ports import UpstreamResponse, Wire
from threadbridge.settings import ServiceSettings
from threadbridge.wire.sse import SSEDecoder
from threadbridge_adapters.openai_service import ResponseType, foreign_errors, open_client

if TYPE_CHECKING:
    from openai import AsyncOpenAI

_PATH = "/responses"
_JSON = {"Content-Type": "application/json"}
_EVENTS = {**_JSON, "Accept": "text/event-stream"}


class OpenAIUpstream:
    """`ports.Upstream` for any service that the openai SDK can reach."""

    def __init__(self, client: AsyncOpenAI) -> None:
        self._client = client

    async def create(self, body: bytes) -> UpstreamResponse:
        """`POST /responses`, answered whole."""
        with foreign_errors(self._client):
            response: Any = await self._client.post(
                _PATH, content=body, cast_to=ResponseType, options={"headers": _JSON}
            )
            return UpstreamResponse(_parsed(response.content), response.headers.get("x-request-id"))

    async def stream(self, body: bytes) -> ResponseStream:
        """`POST /responses` as a stream; returns when the service accepted it."""
        from openai import AsyncStream

        with foreign_errors(self._client):
            response: Any = await self._client.post(
                _PATH,
                content=body,
                cast_to=ResponseType,
                options={"headers": _EVENTS},
                stream=True,
                stream_cls=AsyncStream[object],
            )
        return ResponseStream(response, self._client)

    async def aclose(self) -> None:
        """Close the SDK's connections."""
        await self._client.close()


class ResponseStream:
    """The parsed events of one streamed response."""

    def __init__(self, response: Any, client: AsyncOpenAI) -> None:
        self._response = response
        self._client = client
        self.request_id: str | None = response.headers.get("x-request-id")

    async def __aiter__(self) -> AsyncIterator[Wire]:
        """The events, each parsed once. Raises UpstreamError when the connection breaks."""
        decoder = SSEDecoder()
        with foreign_errors(self._client, request_id=self.request_id):
            async for chunk in self._response.aiter_bytes():
                for _, data in decoder.feed(chunk):
                    if data != b"[DONE]":  # some servers close as the older APIs did (S4)
                        yield _parsed(data)

    async def aclose(self) -> None:
        """Hang up."""
        await self._response.aclose()


def _parsed(data: bytes) -> Wire:
    try:
        parsed = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise UpstreamError("The upstream service sent something that is not JSON.") from error
    if not isinstance(parsed, dict):
        raise UpstreamError("The upstream service sent JSON that is not an object.")
    return parsed


def open_upstream(service: ServiceSettings) -> OpenAIUpstream:
    """The service of these settings. Nothing is sent before the first run."""
    return OpenAIUpstream(open_client(service))
