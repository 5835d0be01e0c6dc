"""A Responses service through the openai SDK, which authenticates and retries; bodies are passed as bytes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import openai
import orjson

from threadbridge.api_types import JsonMapping, JsonObject, ResponseEvent
from threadbridge.ports import UpstreamCapabilities, UpstreamResponse, UpstreamStream
from threadbridge.settings import EndpointSettings
from threadbridge_adapters.openai_http.error_mapping import ErrorMapper, get_request_id
from threadbridge_adapters.openai_http.httpx_compat import RESPONSE_TYPE, STREAM_ERRORS, StreamedResponse
from threadbridge_adapters.openai_http.sdk_client import open_client
from threadbridge_adapters.upstreams.multipart import MultipartForm
from threadbridge_adapters.upstreams.response_parser import EventStreamParser, parse_object, parse_response

#: The path of responses below the base URL.
RESPONSES_PATH = "/responses"
_JSON_HEADERS = {"Content-Type": "application/json"}
_SSE_HEADERS = {**_JSON_HEADERS, "Accept": "text/event-stream"}
_BINARY_HEADERS = {"Accept": "*/*"}


#: The capabilities of a service without known gaps.
ALL_CAPABILITIES = UpstreamCapabilities()


class OpenAIUpstream:
    """`ports.Upstream` for any service that the openai SDK can reach."""

    def __init__(self, client: openai.AsyncOpenAI, *, capabilities: UpstreamCapabilities = ALL_CAPABILITIES) -> None:
        self._client = client
        self.capabilities = capabilities
        self._error_mapper = ErrorMapper(client, name="Responses", section="upstream")

    @property
    def base_url(self) -> str:
        """The URL that requests are sent below, as the SDK resolved it."""
        return str(self._client.base_url)

    @property
    def name(self) -> str:
        """Host and path of the base URL: without user, password and query, which may be secret."""
        return f"{self._error_mapper.host}{self._client.base_url.path}".rstrip("/")

    async def create_response(self, body: bytes) -> UpstreamResponse:
        """`POST /responses` without streaming."""
        try:
            response: Any = await self._client.post(
                RESPONSES_PATH, content=body, cast_to=RESPONSE_TYPE, options={"headers": _JSON_HEADERS}
            )
        except openai.OpenAIError as error:
            raise self._error_mapper.map_error(error) from error
        parsed = parse_response(response.content, self._error_mapper)
        return UpstreamResponse(parsed, get_request_id(response.headers))

    async def stream_response(self, body: bytes) -> UpstreamStream:
        """`POST /responses` as a stream; returns when the service has accepted the request."""
        try:
            response: Any = await self._client.post(
                RESPONSES_PATH,
                content=body,
                cast_to=RESPONSE_TYPE,
                options={"headers": _SSE_HEADERS},
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
        except openai.OpenAIError as error:
            raise self._error_mapper.map_error(error) from error
        return ResponseStream(response, self._error_mapper)

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        """A request to another JSON endpoint; `path` begins below `/v1`."""
        options: dict[str, Any] = (
            {} if body is None else {"content": orjson.dumps(body), "options": {"headers": _JSON_HEADERS}}
        )
        request_method: Callable[..., Awaitable[Any]] = getattr(self._client, method.lower())
        try:
            response = await request_method(path, cast_to=RESPONSE_TYPE, **options)
        except openai.OpenAIError as error:
            raise self._error_mapper.map_error(error) from error
        return parse_object(response.content, self._error_mapper)

    async def upload(
        self, path: str, *, filename: str, content: AsyncIterator[bytes], fields: Mapping[str, str]
    ) -> JsonObject:
        """Upload a file as multipart form data, streamed."""
        form = MultipartForm(fields, filename)
        try:
            response: Any = await self._client.post(
                path,
                content=form.encode(content),
                cast_to=RESPONSE_TYPE,
                # The content can be read only once, so that no retry is possible.
                options={"headers": {"Content-Type": form.content_type}, "max_retries": 0},
            )
        except openai.OpenAIError as error:
            raise self._error_mapper.map_error(error) from error
        return parse_object(response.content, self._error_mapper)

    @asynccontextmanager
    async def download(self, path: str) -> AsyncIterator[AsyncIterator[bytes]]:
        """A response body of any size, streamed."""
        try:
            response: Any = await self._client.get(
                path,
                cast_to=RESPONSE_TYPE,
                options={"headers": _BINARY_HEADERS},
                stream=True,
                stream_cls=openai.AsyncStream[object],
            )
        except openai.OpenAIError as error:
            raise self._error_mapper.map_error(error) from error

        async def iterate_chunks() -> AsyncIterator[bytes]:
            try:
                async for chunk in response.aiter_bytes():
                    yield chunk
            except STREAM_ERRORS as error:
                raise self._error_mapper.build_failure(
                    f"broke off in the middle of a file ({type(error).__name__})",
                    request_id=get_request_id(response.headers),
                ) from error

        try:
            yield iterate_chunks()
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the SDK's connections."""
        await self._client.close()


class ResponseStream:
    """The parsed events of one streamed response."""

    def __init__(self, response: StreamedResponse, error_mapper: ErrorMapper) -> None:
        self._response = response
        self._error_mapper = error_mapper
        self.request_id = get_request_id(response.headers)

    async def __aiter__(self) -> AsyncIterator[ResponseEvent]:
        """The parsed events. Raises UpstreamError if the connection breaks."""
        parser = EventStreamParser(self._error_mapper)
        try:
            async for chunk in self._response.aiter_bytes():
                for event in parser.receive_data(chunk):
                    yield event
        except STREAM_ERRORS as error:
            raise self._error_mapper.build_interruption_error(error, request_id=self.request_id) from error

    async def aclose(self) -> None:
        """Close the connection."""
        await self._response.aclose()


def open_sdk_upstream(service: EndpointSettings) -> OpenAIUpstream:
    """The service of these settings, through the SDK only. Sends no request."""
    return OpenAIUpstream(open_client(service, section="upstream"))
