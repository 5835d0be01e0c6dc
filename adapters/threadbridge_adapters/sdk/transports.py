"""Transports for httpx and httpx2 that answer requests in the process; streams arrive event by event.

The two libraries have the same interface. The code is written against that interface; `get_transports` combines it
with the base classes of one library.
"""

from __future__ import annotations

import asyncio
import functools
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

from threadbridge.errors import UpstreamError
from threadbridge.ports import PassthroughRequest, WireRequest, WireResponse
from threadbridge.runtime.blocking_portal import BlockingPortal, get_portal
from threadbridge.wire import decode_path, find_api_path
from threadbridge_adapters.sdk.dispatcher import Dispatcher
from threadbridge_adapters.stream_buffer import LoopStreamBuffer, ThreadStreamBuffer

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncBaseTransport, AsyncByteStream, BaseTransport, SyncByteStream
else:
    AsyncBaseTransport = AsyncByteStream = BaseTransport = SyncByteStream = object

#: A response and, if its body is a stream, the buffer of that stream for a reader on another thread.
_BufferedResponse: TypeAlias = "tuple[WireResponse, ThreadStreamBuffer | None]"


class ApiTarget(NamedTuple):
    """Path (beginning with `/assistants` or `/threads`) and query of a request to the Assistants API."""

    path: str
    query: Sequence[tuple[str, str]]


def parse_api_target(url: httpx2.URL, base: str) -> ApiTarget | None:
    """The target of a URL, or None if it is not an Assistants URL. `base` is the path of the client's base URL."""
    path, _, query = url.raw_path.decode("ascii").partition("?")
    api_path = find_api_path(decode_path(path) if "%" in path else path, base=base)
    return None if api_path is None else ApiTarget(api_path, parse_qsl(query, keep_blank_values=True) if query else ())


def get_path_below_base(request: httpx2.Request, base: str) -> str:
    """The path below the client's base URL, with its percent-escapes."""
    path = request.url.raw_path.decode("ascii").partition("?")[0]
    return "/" + path.removeprefix(base).lstrip("/")


class NotHandledError(Exception):
    """The backend does not handle this request, which is for the upstream; its body has not been read."""


class SyncTransport(BaseTransport):
    """Answers from a dispatcher on the process's background loop.

    It may be used from several threads, inside a running event loop, and from an event handler whose stream is still
    open (C4): the caller's thread waits without holding a lock.
    """

    http: Any  # the library: httpx or httpx2
    stream_type: type[_SyncStream]

    def __init__(self, dispatcher: Dispatcher, *, base_path: str = "") -> None:
        self._dispatcher = dispatcher
        self._base_path = base_path
        self._registered_portal: BlockingPortal | None = None
        self._unregister: Callable[[], None] | None = None

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        if parse_api_target(request.url, self._base_path) is not None:
            request.read()
        current = get_portal()
        if self._registered_portal is not current:  # on the first call and after a fork
            self._registered_portal = current
            self._unregister = unregister = current.register_exit_callback(self._dispatcher.aclose)
            # A client that nobody closed.
            weakref.finalize(self, _close_dispatcher, self._dispatcher, unregister).atexit = False
        with _http_errors(self.http, request):
            response, buffer = current.run(self._respond(request))
        body = response.body if buffer is None else self.stream_type(self.http, request, buffer)
        return _build_response(self.http, response, body)

    def close(self) -> None:
        if self._unregister is not None:
            self._unregister()
        if self._dispatcher.is_open:
            get_portal().run(self._dispatcher.aclose())

    async def _respond(self, request: httpx2.Request) -> _BufferedResponse:
        response = await _dispatch(self._dispatcher, request, self._base_path, _iterate_sync_body)
        return response, None if isinstance(response.body, bytes) else ThreadStreamBuffer(response.body)


def _close_dispatcher(dispatcher: Dispatcher, unregister: Callable[[], None]) -> None:
    unregister()
    dispatcher.close_later()


class AsyncTransport(AsyncBaseTransport):
    """Answers from a dispatcher on the caller's own loop."""

    http: Any
    stream_type: type[_AsyncStream]

    def __init__(self, dispatcher: Dispatcher, *, base_path: str = "") -> None:
        self._dispatcher = dispatcher
        self._base_path = base_path
        weakref.finalize(self, dispatcher.close_later).atexit = False  # a client that nobody closed

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if parse_api_target(request.url, self._base_path) is not None:
            await request.aread()
        with _http_errors(self.http, request):
            response = await _dispatch(self._dispatcher, request, self._base_path, _iterate_async_body)
        if isinstance(response.body, bytes):
            return _build_response(self.http, response, response.body)
        stream = self.stream_type(self.http, request, LoopStreamBuffer(response.body))
        return _build_response(self.http, response, stream)

    async def aclose(self) -> None:
        await self._dispatcher.aclose()


class _SyncStream(SyncByteStream):
    def __init__(self, http: Any, request: httpx2.Request, buffer: ThreadStreamBuffer) -> None:
        self._http = http
        self._request = request
        self._buffer = buffer

    def __iter__(self) -> Iterator[bytes]:
        timeout = _get_read_timeout(self._request)
        with _http_errors(self._http, self._request):
            while (chunk := self._buffer.read_chunk(timeout=timeout)) is not None:
                yield chunk

    def close(self) -> None:
        self._buffer.close()


class _AsyncStream(AsyncByteStream):
    def __init__(self, http: Any, request: httpx2.Request, buffer: LoopStreamBuffer) -> None:
        self._http = http
        self._request = request
        self._buffer = buffer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        timeout = _get_read_timeout(self._request)
        with _http_errors(self._http, self._request):
            while (chunk := await self._buffer.read_chunk(timeout=timeout)) is not None:
                yield chunk

    async def aclose(self) -> None:
        await self._buffer.aclose()


@dataclass(frozen=True, slots=True)
class Transports:
    """The transport classes of one HTTP library."""

    sync: type[SyncTransport]
    asynchronous: type[AsyncTransport]


@functools.cache
def get_transports(http: Any) -> Transports:
    """The transports as subclasses of the base transports of `http` (httpx or httpx2)."""
    sync_stream = type("SyncStream", (_SyncStream, http.SyncByteStream), {})
    async_stream = type("AsyncStream", (_AsyncStream, http.AsyncByteStream), {})
    sync = type("SyncTransport", (SyncTransport, http.BaseTransport), {"http": http, "stream_type": sync_stream})
    asynchronous = type(
        "AsyncTransport", (AsyncTransport, http.AsyncBaseTransport), {"http": http, "stream_type": async_stream}
    )
    return Transports(cast("type[SyncTransport]", sync), cast("type[AsyncTransport]", asynchronous))


async def _dispatch(
    dispatcher: Dispatcher,
    request: httpx2.Request,
    base: str,
    iterate_body: Callable[[httpx2.Request], AsyncIterator[bytes]],
) -> WireResponse:
    target = parse_api_target(request.url, base)
    timeout = _get_read_timeout(request)
    if target is not None:  # the body has been read
        # `headers.items()` of the library repeats a lookup for every name.
        headers = {name.lower().decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw}
        wire_request = WireRequest(
            request.method, target.path, query=target.query, headers=headers, body=request.content
        )
        return await dispatcher.answer(wire_request, timeout=timeout)
    passthrough_request = PassthroughRequest(
        request.method,
        get_path_below_base(request, base),
        query=tuple(request.url.params.multi_items()) if request.url.query else (),
        headers=dict(request.headers.items()),
        body=iterate_body(request),
    )
    response = await dispatcher.handle_passthrough(passthrough_request, timeout=timeout)
    if response is None:
        raise NotHandledError
    return response


async def _iterate_async_body(request: httpx2.Request) -> AsyncGenerator[bytes]:
    """The body of a request that was created on this event loop."""
    async for piece in cast("AsyncByteStream", request.stream):
        yield piece


async def _iterate_sync_body(request: httpx2.Request) -> AsyncGenerator[bytes]:
    """The body of a request from another thread, read on a worker thread because it may read files."""
    pieces = iter(cast("SyncByteStream", request.stream))
    while (piece := await asyncio.to_thread(next, pieces, None)) is not None:
        yield piece


def _build_response(http: Any, response: WireResponse, body: Any) -> httpx2.Response:
    content = {"content": body} if isinstance(body, bytes) else {"stream": body}
    return cast("httpx2.Response", http.Response(response.status, headers=dict(response.headers), **content))


def _get_read_timeout(request: httpx2.Request) -> float | None:
    """The SDK's read timeout in seconds, which applies to a response and to the next event of a stream."""
    timeout: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeout.get("read")


@contextmanager
def _http_errors(http: Any, request: httpx2.Request) -> Iterator[None]:
    try:
        yield
    except UpstreamError as error:
        raise http.RemoteProtocolError(str(error), request=request) from error
    except TimeoutError as error:
        raise http.ReadTimeout("The response did not arrive within the read timeout", request=request) from error
