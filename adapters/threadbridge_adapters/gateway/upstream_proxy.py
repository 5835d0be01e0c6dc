"""Streaming pass-through: requests outside the Assistants API go to the upstream service unchanged."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import aiohttp
from starlette.types import Receive, Scope, Send
from yarl import URL

from threadbridge.errors import UpstreamError
from threadbridge.settings import EndpointSettings
from threadbridge_adapters.gateway.error_responses import send_error

#: Headers that belong to one connection, not to the message (RFC 9110, 7.6.1).
HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
#: CORS headers of the service are dropped, because `gateway.allowed_origins` decides for the gateway.
_CORS_HEADER_PREFIX: Final = b"access-control-"
_CREDENTIALS: Final = frozenset({b"authorization", b"api-key"})
_CONNECT_TIMEOUT_SECONDS: Final = 10.0


class UpstreamProxy:
    """An ASGI endpoint in front of one service; its paths have the form of OpenAI's clients (`/v1/…`).

    Requests are sent with `key` if there is one. Otherwise the client's own credentials are forwarded, unless
    `drops_credentials` is set because they are for the gateway only.
    """

    def __init__(self, endpoint: EndpointSettings, *, base_url: str, key: str | None, drops_credentials: bool) -> None:
        self._endpoint = endpoint
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._drops_credentials = drops_credentials
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = _ClientConnection(scope, receive, send)
        try:
            async with self._get_session().request(
                scope["method"],
                self._build_url(scope),
                headers=await self._build_headers(scope),
                data=client.iterate_body() if client.has_body else None,
                allow_redirects=False,
            ) as response:
                await _relay_response(response, client)
        except (aiohttp.ClientError, TimeoutError) as error:
            if client.is_disconnected:
                return
            if client.has_response_started:
                raise  # after the status, only a broken connection signals an incomplete body
            await send_error(self._build_unreachable_error(error), scope, receive, send)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    def _get_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=_CONNECT_TIMEOUT_SECONDS, sock_read=self._endpoint.timeout
                ),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                connector=aiohttp.TCPConnector(limit=0),
            )
        return self._session

    def _build_url(self, scope: Scope) -> URL:
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1").removeprefix("/v1")
        url = URL(f"{self._base_url}{path}{'?' if query else ''}{query}", encoded=True)
        return url.extend_query(self._endpoint.query) if self._endpoint.query else url

    async def _build_headers(self, scope: Scope) -> list[tuple[str, str]]:
        own = {name.lower(): value for name, value in (self._endpoint.headers | await self._get_credentials()).items()}
        dropped = HOP_BY_HOP | {b"host"} | _list_connection_headers(scope) | {name.encode() for name in own}
        if self._drops_credentials or own.keys() & {"authorization", "api-key"}:
            dropped |= _CREDENTIALS
        forwarded = [(name, value) for name, value in scope["headers"] if name not in dropped]
        return [*((name.decode("latin-1"), value.decode("latin-1")) for name, value in forwarded), *own.items()]

    async def _get_credentials(self) -> dict[str, str]:
        if self._endpoint.token_provider is not None:
            token = self._endpoint.token_provider()
            return {"authorization": f"Bearer {await token if inspect.isawaitable(token) else token}"}
        if self._key is None:
            return {}
        return {"api-key": self._key} if self._endpoint.azure else {"authorization": f"Bearer {self._key}"}

    def _build_unreachable_error(self, error: Exception) -> UpstreamError:
        return UpstreamError(
            f"The upstream service, {urlsplit(self._base_url).netloc}, could not be reached "
            f"({type(error).__name__}); check its address and that it is running.",
            status=504 if isinstance(error, TimeoutError) else 502,
        )


class _ClientConnection:
    """The client's side of one exchange."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.has_body = any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])
        self.is_disconnected = False
        self.has_response_started = False
        self._is_body_complete = not self.has_body
        self._receive = receive
        self._send = send

    async def iterate_body(self) -> AsyncIterator[bytes]:
        while not self._is_body_complete:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.is_disconnected = True
                raise aiohttp.ClientConnectionError("the client left before its request was complete")
            if message.get("body"):
                yield message["body"]
            self._is_body_complete = not message.get("more_body", False)

    async def send(self, message: dict[str, object]) -> None:
        self.has_response_started = True
        await self._send(message)

    @asynccontextmanager
    async def close_on_disconnect(self, response: aiohttp.ClientResponse) -> AsyncGenerator[None]:
        """Disconnect from the service when the client does. (While its body is read, `iterate_body` notices.)"""
        disconnect_watcher = asyncio.create_task(self._watch_disconnect(response)) if self._is_body_complete else None
        try:
            yield
        finally:
            if disconnect_watcher is not None:
                disconnect_watcher.cancel()

    async def _watch_disconnect(self, response: aiohttp.ClientResponse) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self.is_disconnected = True
        response.close()


async def _relay_response(response: aiohttp.ClientResponse, client: _ClientConnection) -> None:
    raw = [(name.lower(), value) for name, value in response.raw_headers]
    headers = [
        (name, value) for name, value in raw if name not in HOP_BY_HOP and not name.startswith(_CORS_HEADER_PREFIX)
    ]
    async with client.close_on_disconnect(response):
        await client.send({"type": "http.response.start", "status": response.status, "headers": headers})
        async for chunk in response.content.iter_any():
            await client.send({"type": "http.response.body", "body": chunk, "more_body": True})
        await client.send({"type": "http.response.body", "body": b""})


def _list_connection_headers(scope: Scope) -> frozenset[bytes]:
    """Names of the headers that the sender declared to be for this connection only."""
    values = b",".join(value for name, value in scope["headers"] if name == b"connection")
    return frozenset(token.strip().lower() for token in values.split(b",") if token.strip())
