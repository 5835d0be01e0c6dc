"""The short way to a Responses service: the openai SDK shows once how to ask, then ready bytes go to the socket.

What the SDK does for every request (options, models, URL, headers, two HTTP libraries) costs more than all the rest of
a run. Its first request is looked at on its way out, and those that follow are sent like it over aiohttp. Whatever is
not a plain answer goes back to the SDK, which knows how to wait, how to repeat and what to say.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.request import getproxies

import aiohttp
import openai
from yarl import URL

from threadbridge.ports import UpstreamCapabilities, UpstreamResponse, UpstreamStream, Wire
from threadbridge.settings import EndpointSettings
from threadbridge.sse import SSEDecoder
from threadbridge_adapters.openai_http.error_mapping import ErrorMapper, get_request_id, parse_retry_after
from threadbridge_adapters.openai_http.httpx_compat import SSL_CONTEXT
from threadbridge_adapters.openai_http.sdk_client import CONNECT_SECONDS, open_client
from threadbridge_adapters.upstreams.openai_sdk import (
    ALL_CAPABILITIES,
    RESPONSES_PATH,
    OpenAIUpstream,
    parse_json_object,
)

#: Written anew for every request, or by the library that sends it.
_EXCLUDED_HEADERS = frozenset({"accept", "accept-encoding", "connection", "content-length", "host", "idempotency-key"})
_OK = 200
#: Seconds a service may ask for before the one attempt more; what lasts longer is the SDK's to judge.
_MAX_RETRY_AFTER_SECONDS = 60.0
#: What aiohttp raises when a request or its answer does not get through.
_TRANSPORT_ERRORS = (aiohttp.ClientError, TimeoutError)


@dataclass(frozen=True, slots=True)
class RequestTemplate:
    """Where the SDK sends a request for a response, and with which headers."""

    url: URL
    headers: Mapping[str, str]


class RequestTemplateRecorder:
    """Looks at the SDK's requests as they leave, until one shows the way."""

    def __init__(self) -> None:
        self.template: RequestTemplate | None = None

    async def __call__(self, request: Any) -> None:
        """A hook of the HTTP library under the SDK."""
        if self.template is None and request.method == "POST" and request.url.path.endswith(RESPONSES_PATH):
            headers = {name: value for name, value in request.headers.items() if name not in _EXCLUDED_HEADERS}
            self.template = RequestTemplate(URL(str(request.url), encoded=True), headers)


class DirectUpstream(OpenAIUpstream):
    """`ports.Upstream` for a service whose key does not change from request to request."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        recorder: RequestTemplateRecorder,
        *,
        timeout: float,
        capabilities: UpstreamCapabilities = ALL_CAPABILITIES,
    ) -> None:
        super().__init__(client, capabilities=capabilities)
        self._recorder = recorder
        self._timeout = aiohttp.ClientTimeout(total=None, sock_connect=min(timeout, CONNECT_SECONDS), sock_read=timeout)
        self._session: aiohttp.ClientSession | None = None

    async def create_response(self, body: bytes) -> UpstreamResponse:
        response = await self._send(body, accept="application/json")
        if response is not None:
            async with response:
                try:
                    return UpstreamResponse(
                        parse_json_object(await response.read(), self._error_mapper), get_request_id(response.headers)
                    )
                except _TRANSPORT_ERRORS:
                    pass  # it did not arrive whole
        return await super().create_response(body)

    async def stream_response(self, body: bytes) -> UpstreamStream:
        response = await self._send(body, accept="text/event-stream")
        return await super().stream_response(body) if response is None else DirectStream(response, self._error_mapper)

    async def _send(self, body: bytes, *, accept: str) -> aiohttp.ClientResponse | None:
        """The answer, if it begins well; None where the SDK has to see for itself, as far as it may ask again."""
        template = self._recorder.template
        if template is None:
            return None
        headers = {**template.headers, "accept": accept}
        try:
            response = await self._get_session().post(template.url, data=body, headers=headers)
        except _TRANSPORT_ERRORS:
            return None
        if response.status == _OK:
            return response
        response.close()
        await asyncio.sleep(min(parse_retry_after(response.headers) or 0.0, _MAX_RETRY_AFTER_SECONDS))
        return None

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # As the SDK would: its certificates, the proxies of the environment, no memory of cookies.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=SSL_CONTEXT(), limit=0),
                timeout=self._timeout,
                trust_env=bool(getproxies()),  # looking for them costs more than the request
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

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

    async def __aiter__(self) -> AsyncIterator[Wire]:
        """The events, each parsed once. Raises UpstreamError when the connection breaks."""
        decoder = SSEDecoder()
        try:
            async for chunk in self._response.content.iter_any():
                for _, data, _ in decoder.receive_data(chunk):
                    if data != b"[DONE]":
                        yield parse_json_object(data, self._error_mapper)
        except _TRANSPORT_ERRORS as error:
            raise self._error_mapper.build_interruption_error(error, request_id=self.request_id) from error

    async def aclose(self) -> None:
        """Hang up; a response read to its end leaves its connection for the next one."""
        self._response.release()


def open_direct_upstream(
    service: EndpointSettings, *, capabilities: UpstreamCapabilities = ALL_CAPABILITIES
) -> OpenAIUpstream:
    """The service of these settings. Nothing is sent before the first run.

    A token may be another one for the next request, and a service that must not be asked twice is asked by the SDK
    alone.
    """
    recorder = RequestTemplateRecorder()
    hooks: Any = {"request": [recorder]}
    client = open_client(service, section="upstream", http_client=openai.DefaultAsyncHttpxClient(event_hooks=hooks))
    if service.token_provider is not None or service.max_retries == 0:
        return OpenAIUpstream(client, capabilities=capabilities)
    # The direct attempt is the first of those the settings allow.
    return DirectUpstream(
        client.with_options(max_retries=service.max_retries - 1),
        recorder,
        timeout=service.timeout,
        capabilities=capabilities,
    )
