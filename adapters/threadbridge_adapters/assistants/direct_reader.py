"""Reads an Assistants service over aiohttp: bodies as bytes, with the URL and the credentials of the openai SDK.

The SDK's work for every request (options, models, two HTTP libraries) costs more CPU time than everything else that an
export does with the response. Errors are those of the `assistants` backend. Nothing is retried.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode, urljoin
from urllib.request import getproxies

import aiohttp
import openai
from yarl import URL

from threadbridge.errors import Unauthorized, UpstreamError
from threadbridge.settings import DEFAULT_RESPONSE_BYTES, EndpointSettings, TokenProvider
from threadbridge_adapters.assistants._error_mapping import AssistantsErrorMapper
from threadbridge_adapters.openai_http.error_mapping import get_request_id
from threadbridge_adapters.openai_http.httpx_compat import SSL_CONTEXT
from threadbridge_adapters.openai_http.response_checks import (
    MAX_ERROR_BYTES,
    UnusableResponseError,
    check_redirect,
    describe_excess,
)
from threadbridge_adapters.openai_http.sdk_client import CONNECT_SECONDS, open_client

#: Redirects of one request that are followed, within the origin of the service.
_MAX_REDIRECTS: Final = 3
#: Seconds for which a token is used before the provider, which has a cache of its own, is asked again.
_TOKEN_SECONDS: Final = 60.0
_CHUNK_BYTES: Final = 1 << 16
_OK, _UNAUTHORIZED = 200, 401
_BETA_HEADER: Final = {"OpenAI-Beta": "assistants=v2"}


@dataclass(slots=True)
class DirectResponse:
    """A whole response; header names are case-insensitive."""

    status_code: int
    headers: Mapping[str, str]
    content: bytes


#: Receives the status and the headers of every response, errors included.
ResponseObserver = Callable[[int, Mapping[str, str]], None]


class DirectReader:
    """GET requests to one service. Use `open_direct_reader`, and close with `aclose`."""

    def __init__(
        self, client: openai.AsyncOpenAI, settings: EndpointSettings, *, section: str, max_response_bytes: int
    ) -> None:
        self._client = client
        self._section = section
        self._max_response_bytes = max_response_bytes
        self._errors = AssistantsErrorMapper(client)
        self._base_url = str(client.base_url).rstrip("/")
        self._query = [(name, str(value)) for name, value in client.default_query.items()]
        sent: Mapping[str, object] = {**client.default_headers, **client.auth_headers, **settings.headers}
        self._headers = {
            name: value for name, value in sent.items() if isinstance(value, str) and name.lower() != "content-type"
        }
        is_overridden = any(name.lower() == "authorization" for name in settings.headers)
        self._token = None if settings.token_provider is None or is_overridden else _Token(settings.token_provider)
        self._timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=min(settings.timeout, CONNECT_SECONDS), sock_read=settings.timeout
        )
        self._session: aiohttp.ClientSession | None = None
        self.observers: list[ResponseObserver] = []

    async def get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> DirectResponse:
        """The response to a GET of a path below the base URL. Raises the errors of the `assistants` backend."""
        chunks: list[bytes] = []
        status, headers = await self._read(path, query, chunks.append, limit=self._max_response_bytes)
        return DirectResponse(status, headers, b"".join(chunks))

    async def download(self, path: str, write: Callable[[bytes], object]) -> Mapping[str, str]:
        """Pass the body of a response to `write`, in pieces; returns its headers. Raises the same errors as `get`."""
        _, headers = await self._read(path, (), write, limit=None)
        return headers

    def build_unusable(self, description: str, response: DirectResponse) -> UpstreamError:
        """The error for a response whose content is no object of the API; see `ErrorMapper.build_failure`."""
        return self._errors.build_failure(description, request_id=get_request_id(response.headers))

    async def aclose(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
        await self._client.close()

    async def _read(
        self, path: str, query: Sequence[tuple[str, str]], write: Callable[[bytes], object], *, limit: int | None
    ) -> tuple[int, Mapping[str, str]]:
        url = f"{self._base_url}{path}"
        if parameters := [*self._query, *query]:
            url += f"?{urlencode(parameters)}"
        try:
            response = await self._open(url)
            async with response:
                for observe in self.observers:
                    observe(response.status, response.headers)
                if response.status != _OK:
                    content = await response.content.read(MAX_ERROR_BYTES)
                    raise self._errors.map_status_error(DirectResponse(response.status, response.headers, content))
                size = 0
                async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
                    size += len(chunk)
                    if limit is not None and size > limit:
                        raise self._errors.build_failure(describe_excess(limit))
                    write(chunk)
                return response.status, response.headers
        except UnusableResponseError as error:
            raise self._errors.build_failure(error.description) from error
        except aiohttp.ClientConnectorError as error:
            raise self._errors.build_failure(
                f"could not be reached ({type(error).__name__}); check `{self._section}.base_url` and the network"
            ) from error
        except TimeoutError as error:
            raise self._errors.build_failure(
                f"did not answer in time; try again, or raise `{self._section}.timeout`"
            ) from error
        except (aiohttp.ClientError, ConnectionError) as error:
            raise self._errors.build_interruption_error(error, request_id=None) from error

    async def _open(self, url: str) -> aiohttp.ClientResponse:
        """The response after redirects within the origin, with a new token if the service rejects one."""
        is_renewed = False
        for _ in range(_MAX_REDIRECTS + 1):
            headers = self._headers
            if self._token is not None:
                headers = {**headers, "Authorization": f"Bearer {await self._token.get()}"}
            response = await self._get_session().get(URL(url, encoded=True), headers=headers, allow_redirects=False)
            location = response.headers.get("location") if 300 <= response.status < 400 else None
            if location is not None:
                response.release()
                check_redirect(url, location, section=self._section)
                url = urljoin(url, location)
            elif response.status == _UNAUTHORIZED and self._token is not None and not is_renewed:
                response.release()
                self._token.expire()
                is_renewed = True
            else:
                return response
        raise self._errors.build_failure(f"redirects in a circle; check `{self._section}.base_url`")

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            # Like the SDK: its certificates, the proxies of the environment, no cookies.
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=SSL_CONTEXT(), limit=0),
                timeout=self._timeout,
                trust_env=bool(getproxies()),
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session


class _Token:
    """The bearer token of a provider, renewed once a minute and after the service rejected it."""

    def __init__(self, provider: TokenProvider) -> None:
        self._provider = provider
        self._value = ""
        self._valid_until = 0.0
        self._lock = asyncio.Lock()

    async def get(self) -> str:
        if time.monotonic() >= self._valid_until:
            async with self._lock:
                if time.monotonic() >= self._valid_until:
                    self._value = await self._ask()
                    self._valid_until = time.monotonic() + _TOKEN_SECONDS
        return self._value

    def expire(self) -> None:
        self._valid_until = 0.0

    async def _ask(self) -> str:
        try:
            is_async = inspect.iscoroutinefunction(self._provider)
            answer = self._provider() if is_async else await asyncio.to_thread(self._provider)
            value = await answer if inspect.isawaitable(answer) else answer
        except Exception as exc:
            raise Unauthorized(f"The configured token provider failed ({type(exc).__name__}).") from exc
        if not value or not value.isascii():
            raise Unauthorized("The configured token provider returned no usable token.")
        return value


def open_direct_reader(
    settings: EndpointSettings, *, section: str, max_response_bytes: int = DEFAULT_RESPONSE_BYTES
) -> DirectReader:
    """The reader of the service in a section of the settings. Sends no request.

    Raises ConfigurationError if a client cannot be created, for instance without a key.
    """
    client = open_client(settings, section=section, headers=_BETA_HEADER, max_response_bytes=max_response_bytes)
    return DirectReader(client, settings, section=section, max_response_bytes=max_response_bytes)
