"""Pass-through: requests outside the Assistants API, answered by the backend itself or by the upstream service."""

from __future__ import annotations

import asyncio
import inspect
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Final
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit

import aiohttp
from starlette.responses import Response, StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from yarl import URL

from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.ports import HandlesPassthrough, PassthroughRequest
from threadbridge.settings import EndpointSettings
from threadbridge_adapters.gateway.access_checks import get_request_context
from threadbridge_adapters.gateway.error_responses import send_error
from threadbridge_adapters.openai_http.response_checks import UnusableResponseError, check_redirect
from threadbridge_adapters.openai_http.secrets_mask import SecretsMask, StreamMask
from threadbridge_adapters.stream_buffer import close_stream

#: Bytes of a rejected upload that are still read and discarded, so that the client receives the error.
MAX_DISCARDED_BYTES: Final = 64 * 1024 * 1024


class LocalPassthrough:
    """An ASGI endpoint that tries the backend first and then the next endpoint. Paths begin with `/v1`."""

    def __init__(self, backend: HandlesPassthrough, fallback: ASGIApp) -> None:
        self._backend = backend
        self._fallback = fallback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        body = _RequestBody(scope, receive)
        try:
            raw_path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
            request = PassthroughRequest(
                scope["method"],
                raw_path.removeprefix("/v1"),
                query=tuple(parse_qsl(query, keep_blank_values=True)),
                headers={name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]},
                body=body.iterate() if body.is_present else None,
            )
            response = await self._backend.handle_passthrough(get_request_context(scope), request)
        except _ClientDisconnectError:
            return
        except BridgeError as error:
            await send_error(error, scope, receive, send)
            return
        if response is None:
            await self._fallback(scope, receive, send)
            return
        await body.discard()
        headers = dict(response.headers)
        if isinstance(response.body, bytes):
            await Response(response.body, response.status, headers)(scope, receive, send)
        else:
            streamed = _AbortingStreamingResponse(_iterate_and_close(response.body), response.status, headers)
            await streamed(scope, receive, send)


class _ClientDisconnectError(Exception):
    """The client disconnected before its request was complete."""


class _RequestBody:
    """The body of a request, read as a stream."""

    def __init__(self, scope: Scope, receive: Receive) -> None:
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        self.is_present = any(name in {b"content-length", b"transfer-encoding"} for name, _ in headers)
        self._receive = receive
        self._has_more = self.is_present

    async def iterate(self) -> AsyncGenerator[bytes]:
        """The chunks as they arrive. Raises if the client disconnects."""
        while self._has_more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self._has_more = False
                raise _ClientDisconnectError
            self._has_more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]

    async def discard(self) -> None:
        """Read and discard the rest of the body, up to a limit."""
        size = 0
        async with aclosing(self.iterate()) as pieces:
            async for piece in pieces:
                size += len(piece)
                if size > MAX_DISCARDED_BYTES:
                    return


class _AbortingStreamingResponse(StreamingResponse):
    """Send a body as it arrives. If it breaks off, closing the connection is the only signal that it is incomplete."""

    async def stream_response(self, send: Send) -> None:
        try:
            await super().stream_response(send)
        except BridgeError:
            return  # the server closes a connection with an incomplete body


async def _iterate_and_close(body: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
    try:
        async for piece in body:
            yield piece
    finally:
        await close_stream(body)


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
_FIRST_ERROR_STATUS: Final = 400
#: Bytes of an error that is relayed.
_MAX_ERROR_BYTES: Final = 1024 * 1024
_EVENT_STREAM: Final = "text/event-stream"
#: Headers that no longer apply to a body that was unpacked or masked.
_BODY_HEADERS: Final = frozenset({b"content-length", b"content-encoding", b"content-md5", b"digest", b"etag"})
#: Statuses with which a client repeats its request at another address.
_REDIRECT_STATUSES: Final = frozenset({301, 302, 303, 307, 308})


class UpstreamProxy:
    """An ASGI endpoint in front of one service; its paths have the form of OpenAI's clients (`/v1/…`).

    Requests are sent with `key` if there is one. Otherwise the client's own credentials are forwarded, unless
    `drops_credentials` is set because they are for the gateway only.
    """

    def __init__(
        self, endpoint: EndpointSettings, *, section: str, base_url: str, key: str | None, drops_credentials: bool
    ) -> None:
        self._endpoint = endpoint
        self._section = section
        self._base_url = base_url.rstrip("/")
        self._key = key
        self._drops_credentials = drops_credentials
        self._host = urlsplit(self._base_url).netloc.rpartition("@")[2]
        self._mask = SecretsMask(key or "", endpoint.headers, endpoint.query)
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
                location = self._map_location(response)
                await client.relay_response(response, location=location, mask=self._mask)
        except UnusableResponseError as error:
            message = f"The upstream service, {self._host}, {error.description}."
            await send_error(UpstreamError(message), scope, receive, send)
        except (aiohttp.ClientError, TimeoutError) as error:
            if client.is_disconnected:
                return
            if client.has_response_started:
                raise  # after the status, only a broken connection signals an incomplete body
            unreachable = UpstreamError(
                f"The upstream service, {self._host}, could not be reached "
                f"({type(error).__name__}); check its address and that it is running.",
                status=504 if isinstance(error, TimeoutError) else 502,
            )
            await send_error(unreachable, scope, receive, send)

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

    def _map_location(self, response: aiohttp.ClientResponse) -> str | None:
        """The address of a redirect as the client must request it, through the gateway; None without a redirect.

        Raises UnusableResponseError for one that leaves the base URL: the client would send its request there.
        """
        location = response.headers.get("location")
        if location is None or response.status not in _REDIRECT_STATUSES:
            return None
        url = str(response.url)
        check_redirect(url, location, section=self._section)
        target, base_path = urlsplit(urljoin(url, location)), urlsplit(self._base_url).path
        below = target.path.removeprefix(base_path)
        if not target.path.startswith(f"{base_path}/") or not is_below_base(below.encode("latin-1", "replace")):
            raise UnusableResponseError(f"redirects requests out of its base URL; check `{self._section}.base_url`")
        return f"/v1{below}{'?' if target.query else ''}{target.query}"

    def _build_url(self, scope: Scope) -> URL:
        query = scope["query_string"].decode("latin-1")
        path = scope["raw_path"].decode("latin-1").removeprefix("/v1")
        url = URL(f"{self._base_url}{path}{'?' if query else ''}{query}", encoded=True)
        return url.extend_query(self._endpoint.query) if self._endpoint.query else url

    async def _build_headers(self, scope: Scope) -> list[tuple[str, str]]:
        own = {name.lower(): value for name, value in (await self._get_credentials()).items()}
        own |= {name.lower(): value for name, value in self._endpoint.headers.items()}
        # Headers that the client declared to be for this connection only.
        connection = b",".join(value for name, value in scope["headers"] if name == b"connection")
        connection_headers = {token.strip().lower() for token in connection.split(b",") if token.strip()}
        dropped = HOP_BY_HOP | {b"host"} | connection_headers | {name.encode() for name in own}
        if self._drops_credentials or own.keys() & {"authorization", "api-key"}:
            dropped |= _CREDENTIALS
        forwarded = [(name, value) for name, value in scope["headers"] if name not in dropped]
        if not self._mask.is_empty:  # only errors that can be read can be masked
            forwarded = [
                (name, b"gzip" if b"gzip" in value else b"identity") if name == b"accept-encoding" else (name, value)
                for name, value in forwarded
            ]
        return [*((name.decode("latin-1"), value.decode("latin-1")) for name, value in forwarded), *own.items()]

    async def _get_credentials(self) -> dict[str, str]:
        if self._endpoint.token_provider is not None:
            token = self._endpoint.token_provider()
            return {"authorization": f"Bearer {await token if inspect.isawaitable(token) else token}"}
        if self._key is None:
            return {}
        return {"api-key": self._key} if self._endpoint.azure else {"authorization": f"Bearer {self._key}"}


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

    async def relay_response(
        self, response: aiohttp.ClientResponse, *, location: str | None, mask: SecretsMask
    ) -> None:
        """Send the response as it arrives, errors and streams of events without the secrets of the gateway.

        The connection to the service is closed if the client disconnects. While the client's body is read,
        `iterate_body` notices that. Raises UnusableResponseError for an error that is too long.
        """
        pieces: AsyncIterator[bytes] = response.content.iter_any()
        is_changed = False
        if not mask.is_empty and response.status >= _FIRST_ERROR_STATUS and _is_text(response):
            pieces, is_changed = _iterate_once(await _read_masked_error(response, mask)), True
        elif not mask.is_empty and response.content_type == _EVENT_STREAM and not _get_encoding(response):
            pieces, is_changed = _iterate_masked(pieces, mask.open_stream()), True
        raw = [(name.lower(), value) for name, value in response.raw_headers]
        headers = [
            (name, value) for name, value in raw if name not in HOP_BY_HOP and not name.startswith(_CORS_HEADER_PREFIX)
        ]
        if is_changed:
            headers = [(name, value) for name, value in headers if name not in _BODY_HEADERS]
        if location is not None:
            headers = [(name, value) for name, value in headers if name != b"location"]
            headers.append((b"location", location.encode("latin-1", "replace")))

        async def watch_disconnect() -> None:
            while (await self._receive())["type"] != "http.disconnect":
                continue
            self.is_disconnected = True
            response.close()

        disconnect_watcher = asyncio.create_task(watch_disconnect()) if self._is_body_complete else None
        try:
            self.has_response_started = True
            await self._send({"type": "http.response.start", "status": response.status, "headers": headers})
            async for chunk in pieces:
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        finally:
            if disconnect_watcher is not None:
                disconnect_watcher.cancel()


def _is_text(response: aiohttp.ClientResponse) -> bool:
    kind = response.content_type
    return kind.startswith("text/") or kind.endswith(("json", "xml"))


def _get_encoding(response: aiohttp.ClientResponse) -> str:
    encoding = response.headers.get("content-encoding", "").strip().lower()
    return "" if encoding == "identity" else encoding


async def _read_masked_error(response: aiohttp.ClientResponse, mask: SecretsMask) -> bytes:
    """The body of an error, unpacked, without secrets and parts of keys."""
    encoding = _get_encoding(response)
    if encoding not in ("", "gzip"):
        raise UnusableResponseError(f"answered HTTP {response.status} with an encoding that was not asked for")
    unpack = zlib.decompressobj(zlib.MAX_WBITS | 16) if encoding else None
    body = b""
    try:
        async for chunk in response.content.iter_any():
            body += chunk if unpack is None else unpack.decompress(chunk, _MAX_ERROR_BYTES + 1)
            if len(body) > _MAX_ERROR_BYTES:
                raise UnusableResponseError(f"answered HTTP {response.status} with more than {_MAX_ERROR_BYTES} bytes")
    except zlib.error:
        raise UnusableResponseError(f"answered HTTP {response.status} with a body that cannot be unpacked") from None
    text = mask.mask_json(body).decode("utf-8", "surrogateescape")
    return mask.mask_text(text).encode("utf-8", "surrogateescape")


async def _iterate_once(body: bytes) -> AsyncGenerator[bytes]:
    yield body


async def _iterate_masked(pieces: AsyncIterator[bytes], mask: StreamMask) -> AsyncGenerator[bytes]:
    async for piece in pieces:
        if masked := mask.receive_data(piece):
            yield masked
    if rest := mask.finish():
        yield rest


#: What a path must contain to leave the base URL or to hold a character that no id has.
_SUSPICIOUS: Final = re.compile(rb"\.\.|%|\\|[\x00-\x20\x7f]")
#: How often a path may be escaped.
_MAX_DECODINGS: Final = 4
_SEPARATORS: Final = re.compile(r"[/\\]")
_CONTROL_CHARACTERS: Final = re.compile(r"[\x00-\x1f\x7f]")


def is_below_base(raw_path: bytes) -> bool:
    """Whether every server that gets this path below a base URL takes it for a path below that URL.

    Servers differ in what they decode, how often, and whether a backslash separates segments.
    """
    if not raw_path.startswith(b"/"):
        return False  # `@host` after the host of a base URL would name another host
    if _SUSPICIOUS.search(raw_path) is None:
        return True
    path = raw_path.decode("latin-1")
    for _ in range(_MAX_DECODINGS):
        # A server with path parameters ignores what follows a semicolon.
        segments = (segment.partition(";")[0] for segment in _SEPARATORS.split(path))
        if _CONTROL_CHARACTERS.search(path) or not {".", ".."}.isdisjoint(segments):
            return False
        decoded = unquote(path, "latin-1")
        if decoded == path:
            return True
        path = decoded
    return False
