"""A Responses service over aiohttp, with the URL and headers of the openai SDK's first request.

The SDK's work for every request (options, models, URL, headers, two HTTP libraries) costs more than all the rest of a
run. Its first request is recorded, and later ones are sent with the same URL and headers over aiohttp. After a failure
the SDK sends the request again, with its own retries and error messages.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.request import getproxies

import aiohttp
import openai
from yarl import URL

from threadbridge.api_types import ResponseEvent
from threadbridge.ports import UpstreamCapabilities, UpstreamResponse, UpstreamStream
from threadbridge.settings import DEFAULT_RESPONSE_BYTES, EndpointSettings
from threadbridge_adapters.openai_http.error_mapping import ErrorMapper, get_request_id, parse_retry_after
from threadbridge_adapters.openai_http.httpx_compat import SSL_CONTEXT
from threadbridge_adapters.openai_http.response_checks import describe_excess
from threadbridge_adapters.openai_http.sdk_client import CONNECT_SECONDS, open_client
from threadbridge_adapters.upstreams.openai_sdk import (
    ALL_CAPABILITIES,
    RESPONSES_PATH,
    OpenAIUpstream,
)
from threadbridge_adapters.upstreams.response_parser import EventStreamParser, parse_response

#: Headers that differ from request to request, or that the sending library sets.
_EXCLUDED_HEADERS = frozenset({"accept", "accept-encoding", "connection", "content-length", "host", "idempotency-key"})
_OK = 200
#: The most seconds of a `Retry-After` to wait before the SDK repeats the request.
_MAX_RETRY_AFTER_SECONDS = 60.0
#: What aiohttp raises if a request fails or its response breaks off.
_TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError)


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """The URL and the headers of the SDK's requests for responses, which contain secrets."""

    url: URL = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)


class RequestTemplateRecorder:
    """Records the first request of the SDK for a response."""

    def __init__(self) -> None:
        self.template: RequestTemplate | None = None

    async def __call__(self, request: Any) -> None:
        """The request hook of the HTTP library under the SDK."""
        if self.template is None and request.method == "POST" and request.url.path.endswith(RESPONSES_PATH):
            headers = {name: value for name, value in request.headers.items() if name not in _EXCLUDED_HEADERS}
            self.template = RequestTemplate(URL(str(request.url), encoded=True), headers)


class DirectUpstream(OpenAIUpstream):
    """`ports.Upstream` for a service with a constant key."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        recorder: RequestTemplateRecorder,
        *,
        timeout: float,
        max_response_bytes: int = DEFAULT_RESPONSE_BYTES,
        capabilities: UpstreamCapabilities = ALL_CAPABILITIES,
    ) -> None:
        # The direct attempt counts as one of those that the settings allow. The first request is sent by the SDK alone.
        super().__init__(client.with_options(max_retries=client.max_retries - 1), capabilities=capabilities)
        self._first_upstream = OpenAIUpstream(client, capabilities=capabilities)
        self._max_response_bytes = max_response_bytes
        self._recorder = recorder
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(timeout, CONNECT_SECONDS), sock_read=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def create_response(self, body: bytes) -> UpstreamResponse:
        if self._recorder.template is None:
            return await self._first_upstream.create_response(body)
        response = await self._send(body, accept="application/json")
        if response is None:
            return await super().create_response(body)
        request_id = get_request_id(response.headers)
        chunks: list[bytes] = []
        size = 0
        async with response:
            try:
                async for chunk in response.content.iter_any():
                    size += len(chunk)
                    if size > self._max_response_bytes:
                        response.close()
                        reason = describe_excess(self._max_response_bytes)
                        raise self._error_mapper.build_failure(reason, request_id=request_id)
                    chunks.append(chunk)
                return UpstreamResponse(parse_response(b"".join(chunks), self._error_mapper), request_id)
            except _TRANSPORT_ERRORS:
                pass  # the response broke off
        return await super().create_response(body)

    async def stream_response(self, body: bytes) -> UpstreamStream:
        if self._recorder.template is None:
            return await self._first_upstream.stream_response(body)
        response = await self._send(body, accept="text/event-stream")
        return await super().stream_response(body) if response is None else DirectStream(response, self._error_mapper)

    async def _send(self, body: bytes, *, accept: str) -> aiohttp.ClientResponse | None:
        """The response if its status is 200; None if the SDK is to send the request (again)."""
        template = self._recorder.template
        if template is None:
            return None
        if self._session is None:
            # Like the SDK: its certificates, the proxies of the environment, no cookies.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=SSL_CONTEXT(), limit=0),
                timeout=self._timeout,
                trust_env=bool(getproxies()),  # looking them up for each request costs more than the request
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        headers = {**template.headers, "accept": accept}
        try:
            # The SDK sends the request again after a redirect, and checks where it leads.
            response = await self._session.post(template.url, data=body, headers=headers, allow_redirects=False)
        except _TRANSPORT_ERRORS:
            return None
        if response.status == _OK:
            return response
        response.close()
        await asyncio.sleep(min(parse_retry_after(response.headers) or 0.0, _MAX_RETRY_AFTER_SECONDS))
        return None

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()
        await super().aclose()


class DirectStream:
    """The parsed events of one streamed response."""

    def __init__(self, response: aiohttp.ClientResponse, error_mapper: ErrorMapper) -> None:
        self._response = response
        self._error_mapper = error_mapper
        self.request_id = get_request_id(response.headers)

    async def __aiter__(self) -> AsyncIterator[ResponseEvent]:
        """The parsed events. Raises UpstreamError if the connection breaks."""
        parser = EventStreamParser(self._error_mapper)
        try:
            async for chunk in self._response.content.iter_any():
                for event in parser.receive_data(chunk):
                    yield event
        except _TRANSPORT_ERRORS as error:
            raise self._error_mapper.build_interruption_error(error, request_id=self.request_id) from error

    async def aclose(self) -> None:
        """Close the connection; after the end of the response it stays open for the next request."""
        self._response.release()


def open_direct_upstream(
    service: EndpointSettings,
    *,
    capabilities: UpstreamCapabilities = ALL_CAPABILITIES,
    max_response_bytes: int = DEFAULT_RESPONSE_BYTES,
) -> OpenAIUpstream:
    """The service of these settings. Sends no request.

    Without the direct way if a token provider may return another token for the next request, or if no request may be
    repeated.
    """
    recorder = RequestTemplateRecorder()
    client = open_client(service, section="upstream", max_response_bytes=max_response_bytes, on_request=recorder)
    if service.token_provider is not None or service.max_retries == 0:
        return OpenAIUpstream(client, capabilities=capabilities)
    return DirectUpstream(
        client,
        recorder,
        timeout=service.timeout,
        max_response_bytes=max_response_bytes,
        capabilities=capabilities,
    )
