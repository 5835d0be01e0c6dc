"""Where the in-process transports hand their requests in."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import orjson

from threadbridge.ports import (
    Backend,
    HandlesPassthrough,
    PassthroughRequest,
    WireRequest,
    WireResponse,
    begins_at_once,
    may_wait,
)
from threadbridge.runtime._at_once import begin
from threadbridge.wire import dispatch_request, may_be_handled_locally, to_wire
from threadbridge.wire.error_responses import to_bridge_error
from threadbridge_adapters.stream_buffer import close

AnswerT = TypeVar("AnswerT", bound=WireResponse | None)


_READING = frozenset({"GET", "HEAD"})


def may_be_given_up(method: str) -> bool:
    """Whether a request may be left off in the middle: what only looks, and needs no task of its own."""
    return method in _READING


class Desk:
    """Answers Assistants requests from a backend that it opens on the first one and closes in the end.

    There is one backend per event loop, so that a client made before a fork, or used under one `asyncio.run` after
    another, goes on working: the next loop opens its own over the same store. (A store in memory is a new one then.)

    A caller who stops waiting leaves; the request is finished all the same, as a server would. With `simulated` it
    answers every other request too.
    """

    def __init__(
        self, open_backend: Callable[[], Awaitable[Backend]], *, max_body_bytes: int, simulated: bool = False
    ) -> None:
        self._open_backend = open_backend
        self._max_body_bytes = max_body_bytes
        self._simulated = simulated
        self._backends: dict[asyncio.AbstractEventLoop, asyncio.Future[Backend]] = {}
        self._unfinished: set[asyncio.Task[Any]] = set()

    async def answer(self, request: WireRequest, *, timeout: float | None = None) -> WireResponse:
        """The backend's answer. Raises TimeoutError when it takes longer than `timeout` seconds."""
        answering = self.respond(request)
        done = begin(answering)
        if done is not None:
            return done.result
        if may_be_given_up(request.method):
            return await _given_up(asyncio.create_task(answering), timeout)
        return await self._finished(answering, timeout)

    async def respond(self, request: WireRequest, *, loop: asyncio.AbstractEventLoop | None = None) -> WireResponse:
        """The backend's answer, for a caller who lets this end. It may be begun on any thread (`ports.may_wait`):
        `loop` is the one that it goes on on.
        """
        try:
            backend = await self._backend(loop or asyncio.get_running_loop())
        except Exception as error:
            return _unopened(error)
        if not begins_at_once(backend):
            await may_wait()
        return await dispatch_request(backend, request, max_body_bytes=self._max_body_bytes)

    def may_pass_on(self, method: str, path: str) -> bool:
        """Whether a request that is not the Assistants API's is for `pass_on` first; `path` starts below `/v1`."""
        return self._simulated or may_be_handled_locally(method, path)

    async def handle_passthrough(
        self, request: PassthroughRequest, *, timeout: float | None = None
    ) -> WireResponse | None:
        """The backend's answer to any other request; None if it is for the service behind. Raises TimeoutError."""
        return await self._finished(self._pass_on(request), timeout)

    async def _finished(self, work: Coroutine[Any, Any, AnswerT], timeout: float | None) -> AnswerT:
        answering = asyncio.get_running_loop().create_task(work)
        self._unfinished.add(answering)
        answering.add_done_callback(self._unfinished.discard)
        try:
            await _done(answering, timeout)
        finally:
            if not answering.done():
                answering.add_done_callback(_leave_stream)
        if not answering.done():
            raise TimeoutError
        return answering.result()

    async def aclose(self) -> None:
        """Close the backend that this loop opened, if it did."""
        opened = self._backends.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            backend = await opened
            await backend.aclose()

    @property
    def is_open(self) -> bool:
        """Whether any loop has opened a backend."""
        return bool(self._backends)

    async def _pass_on(self, request: PassthroughRequest) -> WireResponse | None:
        try:
            backend = await self._backend(asyncio.get_running_loop())
            return await backend.handle_passthrough(request) if isinstance(backend, HandlesPassthrough) else None
        except Exception as error:
            return _unopened(error)

    async def _backend(self, loop: asyncio.AbstractEventLoop) -> Backend:
        opened = self._backends.get(loop)
        if opened is not None and opened.done() and opened.exception() is None:
            return opened.result()
        await may_wait()
        opened = self._backends.get(loop)
        if opened is None:
            opened = self._backends[loop] = asyncio.ensure_future(self._open_backend())
        if not opened.done():
            await asyncio.wait((opened,))
        if opened.exception() is not None:
            self._backends.pop(loop, None)  # the next request tries again
        return opened.result()


async def _given_up(looking: asyncio.Task[WireResponse], timeout: float | None) -> WireResponse:
    """The answer, unless the time is up before or the caller leaves."""
    try:
        async with asyncio.timeout(timeout):
            return await looking
    except BaseException:
        looking.add_done_callback(_leave_stream)
        raise


async def _done(task: asyncio.Task[Any], timeout: float | None) -> None:
    """Wait for a task or the time. As `asyncio.wait`, which costs more than many an answer."""
    waiting = task.get_loop().create_future()

    def wake(_: object = None) -> None:
        if not waiting.done():
            waiting.set_result(None)

    task.add_done_callback(wake)
    timer = None if timeout is None else task.get_loop().call_later(timeout, wake)
    try:
        await waiting
    finally:
        task.remove_done_callback(wake)
        if timer is not None:
            timer.cancel()


def _unopened(error: Exception) -> WireResponse:
    request_id = f"req_{secrets.token_hex(16)}"
    status, envelope = to_wire(to_bridge_error(error, request_id=request_id))
    # The SDK repeats what fails with a 5xx; a backend that cannot be opened is not worth repeating.
    headers = {"content-type": "application/json", "x-request-id": request_id, "x-should-retry": "false"}
    return WireResponse(status, headers, orjson.dumps(envelope))


#: The loop itself keeps no hold on its tasks.
_closing: set[asyncio.Task[None]] = set()


def _leave_stream(answering: asyncio.Task[Any]) -> None:
    """Nobody will read this answer: if it is a stream, close it, which detaches from the run (C3)."""
    if answering.cancelled() or answering.exception() is not None:
        return
    response: WireResponse | None = answering.result()
    body = b"" if response is None else response.body
    if not isinstance(body, bytes):
        closing = answering.get_loop().create_task(close(body))
        _closing.add(closing)
        closing.add_done_callback(_closing.discard)
