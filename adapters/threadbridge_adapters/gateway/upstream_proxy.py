"""What is not an Assistants request goes to the service behind, byte for byte, both ways, as it comes."""

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
from threadbridge_adapters.gateway.error_responses import reply_with

#: Headers that belong to one connection, not to the message (RFC 9110, 7.6.1).
HOP_BY_HOP: Final = frozenset(
    {
        b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te",
        b"trailer", b"transfer-encoding", b"upgrade",
    }
)  # fmt: skip
#: Which pages may read an answer, a service says of its own doors; of the gateway's, `gateway.allowed_origins` does.
_LEAVE_TO_READ: Final = b"access-control-"
_CREDENTIALS: Final = frozenset({b"authorization", b"api-key"})
_CONNECT_SECONDS: Final = 10.0


class Passthrough:
    """An ASGI endpoint in front of one service; paths reach it as OpenAI's clients write them (`/v1/…`).

    With a key of its own it signs every request with that; otherwise the client's own credentials pass, unless
    `drops_credentials` says that they are for the gateway and nobody else's business.
    """

    def __init__(self, service: EndpointSettings, *, base_url: str, key: str | None, drops_credentials: bool) -> None:
        self._service = service
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._drops_credentials = drops_credentials
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = _Client(scope, receive, send)
        try:
            async with self._opened().request(
                scope["method"],
                self._target(scope),
                headers=await self._headers(scope),
                data=client.body() if client.has_body else None,
                allow_redirects=False,
            ) as response:
                await _relay(response, client)
        except (aiohttp.ClientError, TimeoutError) as error:
            if client.has_left:
                return
            if client.is_answered:
                raise  # the status is sent: only breaking off tells the client that the body is not whole
            await reply_with(self._unreachable(error), scope, receive, send)

    async def aclose(self) -> None:
        """Give back the connections."""
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=_CONNECT_SECONDS, sock_read=self._service.timeout
                ),
                skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
                connector=aiohttp.TCPConnector(limit=0),
            )
        return self._session

    def _target(self, scope: Scope) -> URL:
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1").removeprefix("/v1")
        url = URL(f"{self._base_url}{path}{'?' if query else ''}{query}", encoded=True)
        return url.extend_query(self._service.query) if self._service.query else url

    async def _headers(self, scope: Scope) -> list[tuple[str, str]]:
        own = {name.lower(): value for name, value in (self._service.headers | await self._credentials()).items()}
        dropped = HOP_BY_HOP | {b"host"} | _named_by_connection(scope) | {name.encode() for name in own}
        if self._drops_credentials or own.keys() & {"authorization", "api-key"}:
            dropped |= _CREDENTIALS
        passed = [(name, value) for name, value in scope["headers"] if name not in dropped]
        return [*((name.decode("latin-1"), value.decode("latin-1")) for name, value in passed), *own.items()]

    async def _credentials(self) -> dict[str, str]:
        if self._service.token_provider is not None:
            token = self._service.token_provider()
            return {"authorization": f"Bearer {await token if inspect.isawaitable(token) else token}"}
        if self._key is None:
            return {}
        return {"api-key": self._key} if self._service.azure else {"authorization": f"Bearer {self._key}"}

    def _unreachable(self, error: Exception) -> UpstreamError:
        return UpstreamError(
            f"The service behind the gateway, {urlsplit(self._base_url).netloc}, could not be reached "
            f"({type(error).__name__}); check its address and that it is running.",
            status=504 if isinstance(error, TimeoutError) else 502,
        )


class _Client:
    """The client's side of one exchange."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.has_body = any(name in {b"content-length", b"transfer-encoding"} for name, _ in scope["headers"])
        self.has_left = False
        self.is_answered = False
        self._sent_all = not self.has_body
        self._receive = receive
        self._send = send

    async def body(self) -> AsyncIterator[bytes]:
        while not self._sent_all:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.has_left = True
                raise aiohttp.ClientConnectionError("the client left before its request was complete")
            if message.get("body"):
                yield message["body"]
            self._sent_all = not message.get("more_body", False)

    async def answer(self, message: dict[str, object]) -> None:
        self.is_answered = True
        await self._send(message)

    @asynccontextmanager
    async def hanging_up(self, response: aiohttp.ClientResponse) -> AsyncGenerator[None]:
        """Hang up on the service when the client does. (While its body is read, `body` notices.)"""
        watching = asyncio.create_task(self._watch(response)) if self._sent_all else None
        try:
            yield
        finally:
            if watching is not None:
                watching.cancel()

    async def _watch(self, response: aiohttp.ClientResponse) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue
        self.has_left = True
        response.close()


async def _relay(response: aiohttp.ClientResponse, client: _Client) -> None:
    raw = [(name.lower(), value) for name, value in response.raw_headers]
    headers = [(name, value) for name, value in raw if name not in HOP_BY_HOP and not name.startswith(_LEAVE_TO_READ)]
    async with client.hanging_up(response):
        await client.answer({"type": "http.response.start", "status": response.status, "headers": headers})
        async for chunk in response.content.iter_any():
            await client.answer({"type": "http.response.body", "body": chunk, "more_body": True})
        await client.answer({"type": "http.response.body", "body": b""})


def _named_by_connection(scope: Scope) -> frozenset[bytes]:
    """Headers that the sender declared to be for this connection only."""
    values = b",".join(value for name, value in scope["headers"] if name == b"connection")
    return frozenset(token.strip().lower() for token in values.split(b",") if token.strip())
