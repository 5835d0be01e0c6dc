"""Serves an ASGI application on its own socket, in the foreground or on a thread, and logs one line per request."""

from __future__ import annotations

import asyncio
import gc
import ipaddress
import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Generator
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass
from typing import Final

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from threadbridge.errors import BridgeError
from threadbridge.logs import get_logger

#: Seconds an idle connection stays open; longer than the connection pools of common clients keep it.
_KEEP_ALIVE_SECONDS: Final = 75
_BACKLOG: Final = 2048
#: Bytes of the URL and all headers. Clients send 1–2 kB, and common proxies have this limit.
MAX_HEADER_BYTES: Final = 64 * 1024
_TOO_LONG_MESSAGE: Final = "The head of this request is too long."
#: Garbage collection thresholds: allocations before a collection of the youngest generation, then of older ones.
_GC_THRESHOLDS: Final = (10_000, 20, 50)


def serve(
    app_context: AbstractAsyncContextManager[ASGIApp],
    *,
    host: str,
    port: int,
    drain_seconds: float,
    on_listening: Callable[[str], None],
    limits: ConnectionLimits | None = None,
) -> None:
    """Open an application and serve it until SIGINT or SIGTERM, then wait at most `drain_seconds` for requests to end.

    `on_listening` is called with the URL when the server accepts requests. Raises BridgeError if the address is in use.
    """

    def handle_startup() -> None:
        # Exclude loaded objects from garbage collection and collect less often. The process only runs this server: the
        # openai SDK's hundreds of thousands of objects stay, and a request allocates too few to collect each time.
        gc.collect()
        gc.freeze()
        gc.set_threshold(*_GC_THRESHOLDS)
        on_listening(get_base_url(listener))

    with bind_socket(host, port) as listener:
        _run_server(app_context, _create_server(drain_seconds, handle_startup, limits), listener)


@contextmanager
def serve_in_thread(
    app_context: AbstractAsyncContextManager[ASGIApp],
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    drain_seconds: float = 1.0,
    limits: ConnectionLimits | None = None,
) -> Generator[str]:
    """The URL of an application that runs on its own thread until the context ends."""
    startup: Future[None] = Future()
    with bind_socket(host, port) as listener:
        server = _create_server(drain_seconds, lambda: startup.set_result(None), limits)

        def run() -> None:
            try:
                _run_server(app_context, server, listener)
            except BaseException as error:
                if startup.done():
                    raise
                startup.set_exception(error)

        thread = threading.Thread(target=run, name="threadbridge-server", daemon=True)
        thread.start()
        try:
            startup.result()
            yield get_base_url(listener)
        finally:
            server.should_exit = True
            thread.join()


def bind_socket(host: str, port: int) -> socket.socket:
    """A socket bound to the address. Raises BridgeError if the address is in use or not available."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise BridgeError(
            f"Cannot listen on {host} port {port} ({error.strerror}): choose another with --port, or 0 for a free one."
        ) from error


def get_base_url(listener: socket.socket) -> str:
    """The base URL of a server that listens on this socket."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}/v1" if ":" in host else f"http://{host}:{port}/v1"


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """How many connections may be open, and how long their requests may take to arrive (`GatewaySettings`)."""

    max_connections: int = 4096
    header_seconds: float = 30.0
    body_seconds: float = 60.0


class HeaderLimitProtocol(HttpToolsProtocol):
    """Rejects requests with a longer head, and requests that arrive too slowly, and closes their connections.

    uvicorn limits neither the URL nor the headers, and waits for ever for the rest of a request. An incomplete head is
    rejected once the chunks after the one in which it began exceed the limit. A timer runs only while a request is
    incomplete, so that a request that arrives at once needs none.
    """

    limits = ConnectionLimits()
    _head: object = None  # the scope of the request whose head is incomplete
    _head_bytes = 0  # of the chunks in which that head is
    _later_head_bytes = 0  # of those chunks but the first
    _chunk_bytes = 0  # of the chunk that is parsed
    _is_incomplete = True  # more of a request has to arrive
    _is_in_body = False
    _has_received = False  # since the timer was started
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.limits.max_connections:
            self._reject(503, "Too many connections.")
        else:
            self._start_timer(self.limits.header_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        head = self._head
        self._chunk_bytes = len(data)
        self._head_bytes += len(data)
        super().data_received(data)
        if self._is_incomplete:
            self._has_received = True
            if self._timer is None:
                self._start_timer(self.limits.header_seconds)
        elif self._timer is not None:
            self._stop_timer()
        elif self.timeout_keep_alive_task is None and self.cycle.response_complete:
            self._is_incomplete = True  # blank lines between requests
            self._start_timer(self.limits.header_seconds)
        if head is not None and head is self._head:  # the whole chunk belongs to the head
            self._later_head_bytes += len(data)
            if self._later_head_bytes > MAX_HEADER_BYTES:
                self._head = None
                self.send_400_response(_TOO_LONG_MESSAGE)

    def _start_timer(self, seconds: float) -> None:
        self._has_received = False
        self._timer = self.loop.call_later(seconds, self._handle_timeout)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _handle_timeout(self) -> None:
        self._timer = None
        if self.transport.is_closing() or not self._is_incomplete:
            return
        if self.flow.read_paused or (self._is_in_body and self._has_received):
            self._start_timer(self.limits.body_seconds)
        elif getattr(self.cycle, "response_started", False) and not self.cycle.response_complete:
            self.transport.close()
        else:
            self._reject(408, "The request did not arrive in time.")

    def _reject(self, status: int, message: str) -> None:
        head = f"content-type: text/plain; charset=utf-8\r\ncontent-length: {len(message)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + head.encode() + message.encode())
        self.transport.close()

    def on_message_complete(self) -> None:
        self._is_incomplete = False
        super().on_message_complete()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_incomplete, self._is_in_body = True, False
        self._head, self._head_bytes, self._later_head_bytes = self.scope, self._chunk_bytes, 0

    def on_headers_complete(self) -> None:
        self._head, self._is_in_body = None, True
        if self._head_bytes > MAX_HEADER_BYTES:  # with what else is in these chunks
            size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
            if size > MAX_HEADER_BYTES:
                raise ValueError(_TOO_LONG_MESSAGE)  # uvicorn's handling of a malformed request
        super().on_headers_complete()


class _Server(uvicorn.Server):
    """Reports when it accepts requests, and does not re-raise signals after a graceful shutdown."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        # What exists now lives as long as the server. Otherwise each full collection would search all of it, for some
        # 15 ms in which every stream stands still.
        gc.collect()
        gc.freeze()
        self._on_started()

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        with super().capture_signals():
            try:
                yield
            finally:
                self._captured_signals.clear()  # else uvicorn would raise them again before the backend is closed


def _create_server(drain_seconds: float, on_started: Callable[[], None], limits: ConnectionLimits | None) -> _Server:
    class Protocol(HeaderLimitProtocol):
        """The protocol with these limits: uvicorn creates it for each connection."""

    if limits is not None:
        Protocol.limits = limits

    async def placeholder(*_: object) -> None:
        raise RuntimeError("the application has not been opened")

    config = uvicorn.Config(
        placeholder,
        http=Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=math.ceil(drain_seconds),
    )
    return _Server(config, on_started)


def _run_server(app_context: AbstractAsyncContextManager[ASGIApp], server: _Server, listener: socket.socket) -> None:
    async def run() -> None:
        async with app_context as application:
            server.config.app = application
            await server.serve([listener])

    with asyncio.Runner(loop_factory=server.config.get_loop_factory()) as runner:
        runner.run(run())


_log = get_logger("threadbridge.gateway")
#: Checked before measuring, so that a disabled log costs nothing.
_stdlib_logger = logging.getLogger("threadbridge.gateway")


class AccessLog:
    """Logs method, path, status and time of each request when its response is complete or broken off.

    Never the query, which may have keys, nor a header or a body.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _stdlib_logger.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        start_time = time.perf_counter()
        status = 0

        async def send_and_record_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_and_record_status)
        finally:
            _log.info(
                "request answered",
                method=scope["method"],
                path=scope["path"],
                status=status,
                ms=round((time.perf_counter() - start_time) * 1000, 1),
            )
