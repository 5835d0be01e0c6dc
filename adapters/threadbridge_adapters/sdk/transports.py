"""Transports and clients of httpx and httpx2 that answer requests in the process; streams arrive event by event.

The two libraries have the same interface. The code is written against that interface; `get_transports` combines it
with the base classes of one library.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import sys
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias, cast
from urllib.parse import parse_qsl

from threadbridge.errors import Unauthorized, UpstreamError
from threadbridge.ports import PassthroughRequest, WireRequest, WireResponse
from threadbridge.runtime.blocking_portal import BlockingPortal, get_portal
from threadbridge.wire import decode_path, find_api_path, to_wire
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


if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncClient, Client
else:
    AsyncClient = Client = object

#: The SDK needs a key even if no request leaves the process. A request with this key is never sent.
PLACEHOLDER_KEY: Final = "none-answered-in-process"

_NO_KEY_MESSAGE = (
    "This client has no API key, so only its Assistants requests can be answered (they stay in the process). "
    "For everything else set OPENAI_API_KEY, or pass client_options={'api_key': ...}."
)


_in_process: Final[ContextVar[bool]] = ContextVar("_in_process", default=False)


class _InProcessLogFilter(logging.Filter):
    """Keeps the HTTP library from logging a request to the service that never left the process."""

    def filter(self, record: logging.LogRecord) -> bool:
        if _in_process.get() and str(record.msg).startswith("HTTP Request:") and isinstance(record.args, tuple):
            method, url, *_ = record.args
            record.msg, record.args = "Answered in the process: %s %s", (method, getattr(url, "path", url))
        return True


_LOG_FILTER: Final = _InProcessLogFilter()


RenewClient: TypeAlias = Callable[[], "Client | AsyncClient"]


class _NetworkClient:
    """The client for requests to the service. A forked process gets a new one: connections must not be shared."""

    def __init__(self, client: Any, renew: RenewClient | None) -> None:
        self._client = client
        self._renew = renew
        self._pid = os.getpid()

    @property
    def client(self) -> Any:
        """The client of this process."""
        if self._renew is not None and self._pid != os.getpid():
            _PARENT_CLIENTS.append(self._client)
            self._client, self._pid = self._renew(), os.getpid()
        return self._client


_PARENT_CLIENTS: Final[list[object]] = []  # referenced so that they are not closed in a child


class InProcessClient(Client):
    """Closing it closes the backend that it opened and the client that it wraps."""

    def __init__(
        self, http: Any, network_client: Client, dispatcher: Dispatcher, base_path: str, renew: RenewClient | None
    ) -> None:
        self._http = http
        self._network = _NetworkClient(network_client, renew)
        self._dispatcher = dispatcher
        self._base_path = base_path
        super().__init__(
            **_copy_options(network_client), transport=get_transports(http).sync(dispatcher, base_path=base_path)
        )

    def build_request(self, method: str, url: Any, **options: Any) -> httpx2.Request:
        return cast("httpx2.Request", self._network.client.build_request(method, url, **options))

    def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if _may_be_local(request, self._base_path, self._dispatcher):
            token = _in_process.set(True)
            try:
                return super().send(request, **options)
            except NotHandledError:
                pass
            finally:
                _in_process.reset(token)
        return _refuse_placeholder_key(self._http, request) or self._network.client.send(request, **options)

    def close(self) -> None:
        super().close()
        self._network.client.close()


class AsyncInProcessClient(AsyncClient):
    """Closing it closes the backend of this event loop and the client that it wraps."""

    def __init__(
        self, http: Any, network_client: AsyncClient, dispatcher: Dispatcher, base_path: str, renew: RenewClient | None
    ) -> None:
        self._http = http
        self._network = _NetworkClient(network_client, renew)
        self._dispatcher = dispatcher
        self._base_path = base_path
        super().__init__(
            **_copy_options(network_client),
            transport=get_transports(http).asynchronous(dispatcher, base_path=base_path),
        )

    def build_request(self, method: str, url: Any, **options: Any) -> httpx2.Request:
        return cast("httpx2.Request", self._network.client.build_request(method, url, **options))

    async def send(self, request: httpx2.Request, **options: Any) -> httpx2.Response:
        if _may_be_local(request, self._base_path, self._dispatcher):
            token = _in_process.set(True)
            try:
                return await super().send(request, **options)
            except NotHandledError:
                pass
            finally:
                _in_process.reset(token)
        return _refuse_placeholder_key(self._http, request) or await self._network.client.send(request, **options)

    async def aclose(self) -> None:
        await super().aclose()
        await self._network.client.aclose()


def create_in_process_client(
    network_client: Client | AsyncClient, dispatcher: Dispatcher, *, base_path: str, renew: RenewClient | None = None
) -> Any:
    """A client like `network_client` (same library, synchronous or not) that answers requests in the process.

    `base_path` is the path of the openai client's base URL. `renew` creates the network client of a forked process.
    Raises TypeError for a client of another library.
    """
    # The SDK accepts either library from 3.x on, and some applications have both installed.
    modules = [sys.modules[name] for name in ("httpx2", "httpx") if name in sys.modules]
    http: Any = next((each for each in modules if isinstance(network_client, (each.Client, each.AsyncClient))), None)
    if http is None:
        raise TypeError(f"expected an HTTP client of httpx or httpx2, got {type(network_client).__name__}")
    logging.getLogger(http.__name__).addFilter(_LOG_FILTER)  # adds a filter only once
    sync, asynchronous = _create_client_classes(http)
    client_class = sync if isinstance(network_client, http.Client) else asynchronous
    return client_class(http, network_client, dispatcher, base_path, renew)


@functools.cache
def _create_client_classes(http: Any) -> tuple[Any, Any]:
    return (
        type("InProcessClient", (InProcessClient, http.Client), {}),
        type("AsyncInProcessClient", (AsyncInProcessClient, http.AsyncClient), {}),
    )


def _copy_options(client: Client | AsyncClient) -> dict[str, Any]:
    """The public options of a client except its transport, which holds proxies and certificates."""
    return {"timeout": client.timeout, "event_hooks": client.event_hooks, "trust_env": False}


def _may_be_local(request: httpx2.Request, base: str, dispatcher: Dispatcher) -> bool:
    return parse_api_target(request.url, base) is not None or dispatcher.may_handle_passthrough(
        request.method, get_path_below_base(request, base)
    )


def _refuse_placeholder_key(http: Any, request: httpx2.Request) -> httpx2.Response | None:
    if request.headers.get("authorization") != f"Bearer {PLACEHOLDER_KEY}":
        return None
    status, envelope = to_wire(Unauthorized(_NO_KEY_MESSAGE, code="missing_api_key"))
    return cast("httpx2.Response", http.Response(status, json=envelope, request=request))
