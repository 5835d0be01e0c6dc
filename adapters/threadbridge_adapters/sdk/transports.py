"""Transports for httpx and httpx2 that answer requests in-process, streaming token by token, and files piece by piece.

The two libraries have one interface under two names. What is written here is written against that interface;
`transports_for` joins it to the base classes of the library in hand.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from threadbridge.errors import UpstreamError
from threadbridge.ports import WireRequest, WireResponse, may_wait
from threadbridge.runtime.blocking_portal import Portal, portal
from threadbridge_adapters.sdk.dispatcher import Desk, may_be_given_up
from threadbridge_adapters.sdk.request_routing import (
    Way,
    passed_request,
    pieces_of_loop,
    pieces_of_thread,
    taken,
    way_of,
)
from threadbridge_adapters.sdk.whole import whole_response
from threadbridge_adapters.stream_buffer import LoopReadAhead, ThreadReadAhead

if TYPE_CHECKING:
    import httpx2
    from httpx2 import AsyncBaseTransport, AsyncByteStream, BaseTransport, SyncByteStream
else:
    AsyncBaseTransport = AsyncByteStream = BaseTransport = SyncByteStream = object


#: A response, and where its body is a stream, that stream for a reader on another thread.
_Answer: TypeAlias = "tuple[WireResponse, ThreadReadAhead | None]"

#: What becomes an error of the HTTP library: the service behind is lost, or the time is up.
_FAILURES: Final = (UpstreamError, TimeoutError)


class SyncTransport(BaseTransport):
    """Answers from a desk on the process's background loop: one change of thread a request, one a burst of events.

    It may be used from several threads, from inside a running loop, and from an event handler whose stream is
    still open (C4): the waiting happens on the caller's thread and holds nothing.
    """

    http: Any  # the library: httpx or httpx2
    frames: type[_SyncFrames]

    def __init__(self, desk: Desk, *, base: str = "") -> None:
        self._desk = desk
        self._base = base
        self._at_home: Portal | None = None
        self._forget_exit: Callable[[], None] = _nothing

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        way = way_of(request.url, self._base)
        if way is not None:
            request.read()
        return self.answer(request, way)

    def answer(self, request: httpx2.Request, way: Way | None) -> httpx2.Response:
        """What the desk says to a request that is read; without `way` it is not for the Assistants API, and unread."""
        patience = _patience(request)
        try:
            if way is None:
                response, ahead = self._passed_on(request, patience)
            else:
                response, ahead = self._answered(_wire_request(request, way), patience)
        except _FAILURES as error:
            raise _http_error(self.http, request, error) from error
        if ahead is None:
            return whole_response(self.http, response)
        return _response(self.http, response, stream=self.frames(self.http, request, ahead, patience))

    def close(self) -> None:
        self._forget_exit()
        if self._desk.is_open:
            portal().run(self._desk.aclose())

    def _portal(self) -> Portal:
        current = portal()  # another one after a fork
        if self._at_home is not current:
            self._at_home = current
            self._forget_exit = current.at_exit(self._desk.aclose)
        return current

    def _answered(self, asked: WireRequest, patience: float | None) -> _Answer:
        current = self._portal()
        answering = _read_ahead(self._desk.respond(asked, loop=current.loop))
        if may_be_given_up(asked.method):
            return current.begin(answering, timeout=patience)
        # Not here, where an interrupt could part what belongs together.
        return current.run(answering, timeout=patience, leave=_close_when_done, by_hand=True)

    def _passed_on(self, request: httpx2.Request, patience: float | None) -> _Answer:
        async def pass_on() -> WireResponse:
            passed = passed_request(request, self._base, pieces_of_thread(request))
            return taken(await self._desk.handle_passthrough(passed, timeout=patience))

        return self._portal().run(_read_ahead(pass_on()))


class AsyncTransport(AsyncBaseTransport):
    """Answers from a desk on the caller's own loop."""

    http: Any
    frames: type[_AsyncFrames]

    def __init__(self, desk: Desk, *, base: str = "") -> None:
        self._desk = desk
        self._base = base

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        way = way_of(request.url, self._base)
        if way is not None:
            await request.aread()
        return await self.answer(request, way)

    async def answer(self, request: httpx2.Request, way: Way | None) -> httpx2.Response:
        """What the desk says to a request that is read; without `way` it is not for the Assistants API, and unread."""
        patience = _patience(request)
        try:
            if way is None:
                response = await self._passed_on(request, patience)
            else:
                response = await self._desk.answer(_wire_request(request, way), timeout=patience)
        except _FAILURES as error:
            raise _http_error(self.http, request, error) from error
        if isinstance(response.body, bytes):
            return whole_response(self.http, response)
        ahead = LoopReadAhead(response.body)
        return _response(self.http, response, stream=self.frames(self.http, request, ahead, patience))

    async def aclose(self) -> None:
        await self._desk.aclose()

    async def _passed_on(self, request: httpx2.Request, patience: float | None) -> WireResponse:
        passed = passed_request(request, self._base, pieces_of_loop(request))
        return taken(await self._desk.handle_passthrough(passed, timeout=patience))


class _SyncFrames(SyncByteStream):
    def __init__(self, http: Any, request: httpx2.Request, ahead: ThreadReadAhead, patience: float | None) -> None:
        self._http = http
        self._request = request
        self._ahead = ahead
        self._patience = patience

    def __iter__(self) -> Iterator[bytes]:
        try:
            while (chunk := self._ahead.chunk(timeout=self._patience)) is not None:
                yield chunk
        except _FAILURES as error:
            raise _http_error(self._http, self._request, error) from error

    def close(self) -> None:
        self._ahead.close()


class _AsyncFrames(AsyncByteStream):
    def __init__(self, http: Any, request: httpx2.Request, ahead: LoopReadAhead, patience: float | None) -> None:
        self._http = http
        self._request = request
        self._ahead = ahead
        self._patience = patience

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            while (chunk := await self._ahead.chunk(timeout=self._patience)) is not None:
                yield chunk
        except _FAILURES as error:
            raise _http_error(self._http, self._request, error) from error

    async def aclose(self) -> None:
        await self._ahead.aclose()


@dataclass(frozen=True, slots=True)
class Transports:
    """The transport classes of one HTTP library."""

    sync: type[SyncTransport]
    asynchronous: type[AsyncTransport]


@functools.cache
def transports_for(http: Any) -> Transports:
    """The transports as subclasses of what `http` (httpx or httpx2) calls a transport."""
    sync_frames = type("SyncFrames", (_SyncFrames, http.SyncByteStream), {})
    async_frames = type("AsyncFrames", (_AsyncFrames, http.AsyncByteStream), {})
    sync = type("SyncTransport", (SyncTransport, http.BaseTransport), {"http": http, "frames": sync_frames})
    asynchronous = type(
        "AsyncTransport", (AsyncTransport, http.AsyncBaseTransport), {"http": http, "frames": async_frames}
    )
    return Transports(
        cast("type[SyncTransport]", sync),
        cast("type[AsyncTransport]", asynchronous),
    )


async def _read_ahead(answering: Awaitable[WireResponse]) -> _Answer:
    response = await answering
    if isinstance(response.body, bytes):
        return response, None
    await may_wait()
    return response, ThreadReadAhead(response.body)


def _close_when_done(task: asyncio.Task[_Answer]) -> None:
    task.add_done_callback(_close_stream)


def _close_stream(answered: asyncio.Task[_Answer]) -> None:
    """Nobody will read this answer: if it is a stream, close it, which detaches from the run (C3)."""
    if answered.cancelled() or answered.exception() is not None:
        return
    _, ahead = answered.result()
    if ahead is not None:
        ahead.close()


def _nothing() -> None:
    """There is nothing to forget yet."""


def _wire_request(request: httpx2.Request, way: Way) -> WireRequest:
    return WireRequest(
        method=request.method,
        path=way.path,
        query=way.query,
        # Their own `items` looks every name up again.
        headers={name.lower().decode("latin-1"): value.decode("latin-1") for name, value in request.headers.raw},
        body=request.content,
    )


def _response(http: Any, response: WireResponse, *, stream: Any) -> httpx2.Response:
    return cast("httpx2.Response", http.Response(response.status, headers=dict(response.headers), stream=stream))


def _patience(request: httpx2.Request) -> float | None:
    """The SDK's read timeout: how long one answer, or the next event, may take."""
    timeout: dict[str, float | None] = request.extensions.get("timeout", {})
    return timeout.get("read")


def _http_error(http: Any, request: httpx2.Request, error: Exception) -> Exception:
    if isinstance(error, UpstreamError):
        return cast("Exception", http.RemoteProtocolError(str(error), request=request))
    return cast("Exception", http.ReadTimeout("The answer did not come within the read timeout", request=request))
