"""Dispatches the requests of the in-process transports to a backend."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, TypeVar

import orjson

from threadbridge.ports import (
    Backend,
    HandlesPassthrough,
    PassthroughRequest,
    RequestContext,
    WireRequest,
    WireResponse,
)
from threadbridge.runtime.blocking_portal import close_later
from threadbridge.wire import create_request_id, dispatch_request, may_be_handled_locally, to_wire
from threadbridge.wire.response_builder import to_bridge_error
from threadbridge_adapters.stream_buffer import close_stream

ResponseT = TypeVar("ResponseT", bound=WireResponse | None)

#: Methods of requests that are cancelled when their caller stops waiting.
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


class Dispatcher:
    """Answers requests from a backend, which the first request opens and `aclose` closes.

    There is one backend per event loop. A client created before a fork, or used under successive `asyncio.run` calls,
    therefore keeps working: each loop opens its own backend on the same store (see `SharedMemory` for one in memory).

    A request that changes something is completed even if its caller stops waiting, as on a server. With `simulated`
    the backend also answers all other requests. `on_close` is called when the last backend is closed.
    """

    def __init__(
        self,
        open_backend: Callable[[], Awaitable[Backend]],
        context: RequestContext,
        *,
        max_body_bytes: int,
        simulated: bool = False,
        on_close: Callable[[], None] | None = None,
    ) -> None:
        self._open_backend = open_backend
        self._context = context
        self._max_body_bytes = max_body_bytes
        self._simulated = simulated
        self._on_close = on_close
        self._backends: dict[asyncio.AbstractEventLoop, asyncio.Future[Backend]] = {}
        self._pid = os.getpid()
        self._unfinished: set[asyncio.Task[Any]] = set()

    async def answer(self, request: WireRequest, *, timeout: float | None = None) -> WireResponse:
        """The response to an Assistants request. Raises TimeoutError after `timeout` seconds."""

        async def dispatch() -> WireResponse:
            try:
                backend = await self._get_backend()
            except Exception as error:
                return _build_open_failure(error)
            return await dispatch_request(backend, self._context, request, max_body_bytes=self._max_body_bytes)

        return await self._wait_for(dispatch(), timeout, cancellable=request.method in _SAFE_METHODS)

    def may_handle_passthrough(self, method: str, path: str) -> bool:
        """Whether the backend may answer a request to another path; `path` is relative to the base URL."""
        return self._simulated or may_be_handled_locally(method, path)

    async def handle_passthrough(
        self, request: PassthroughRequest, *, timeout: float | None = None
    ) -> WireResponse | None:
        """The backend's response to any other request, or None if it is for the upstream.

        Raises TimeoutError after `timeout` seconds.
        """

        async def pass_through() -> WireResponse | None:
            try:
                backend = await self._get_backend()
                if not isinstance(backend, HandlesPassthrough):
                    return None
                return await backend.handle_passthrough(self._context, request)
            except Exception as error:
                return _build_open_failure(error)

        return await self._wait_for(pass_through(), timeout, cancellable=False)

    async def aclose(self) -> None:
        """Close the backend of this event loop, if one is open."""
        opened = self._backends.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            backend = await opened
            await backend.aclose()
        if self._on_close is not None and all(loop.is_closed() for loop in self._backends):
            self._on_close()

    def close_later(self) -> None:
        """Close the backends of all loops, and do not wait for it. May be called on any thread."""
        backends, self._backends = self._backends, {}
        on_close, is_own = self._on_close, self._pid == os.getpid()
        last = next((loop for loop in reversed(backends) if is_own and not loop.is_closed()), None)
        for loop, opened in backends.items():
            close_later(loop, partial(_close_opened, opened, on_close if loop is last else None), pid=self._pid)
        if on_close is not None and last is None and is_own:
            on_close()

    @property
    def is_open(self) -> bool:
        """Whether any loop has opened a backend."""
        return bool(self._backends)

    async def _get_backend(self) -> Backend:
        loop = asyncio.get_running_loop()
        opened = self._backends.get(loop)
        if opened is None:
            # Forget backends of closed loops, whose tasks are gone, and those of the process this one was forked from.
            if self._pid != os.getpid():
                _inherited_backends.append(self._backends)
                self._backends, self._pid = {}, os.getpid()
            for other in [other for other in self._backends if other.is_closed()]:
                self._backends.pop(other, None)
            opened = self._backends[loop] = asyncio.ensure_future(self._open_backend())
        if not opened.done():
            await asyncio.wait((opened,))
        if opened.exception() is not None:
            self._backends.pop(loop, None)  # the next request tries again
        return opened.result()

    async def _wait_for(
        self, work: Coroutine[Any, Any, ResponseT], timeout: float | None, *, cancellable: bool
    ) -> ResponseT:
        """The result of `work`, which continues if it is not cancellable and its caller stops waiting."""
        task = asyncio.get_running_loop().create_task(work)
        self._unfinished.add(task)
        task.add_done_callback(self._unfinished.discard)
        has_left = True
        try:
            done, _ = await asyncio.wait((task,), timeout=timeout)
            has_left = not done
        finally:
            if has_left:
                if cancellable:
                    task.cancel()
                task.add_done_callback(_close_unread_stream)
        if has_left:
            raise TimeoutError
        return task.result()


def _build_open_failure(error: Exception) -> WireResponse:
    request_id = create_request_id()
    status, envelope = to_wire(to_bridge_error(error, request_id=request_id))
    # The SDK retries a 5xx, but a backend that cannot be opened will fail again.
    headers = {"content-type": "application/json", "x-request-id": request_id, "x-should-retry": "false"}
    return WireResponse(status, headers, orjson.dumps(envelope))


async def _close_opened(opened: asyncio.Future[Backend], on_close: Callable[[], None] | None) -> None:
    try:
        backend = await opened
        await backend.aclose()
    finally:
        if on_close is not None:
            on_close()


#: Referenced so that they are not finalized in a forked process.
_inherited_backends: list[dict[asyncio.AbstractEventLoop, asyncio.Future[Backend]]] = []

#: The event loop keeps only weak references to its tasks.
_closing_tasks: set[asyncio.Task[None]] = set()


def _close_unread_stream(task: asyncio.Task[Any]) -> None:
    """Close the stream of a response whose caller stopped waiting, which detaches from the run (C3)."""
    if task.cancelled() or task.exception() is not None:
        return
    response: WireResponse | None = task.result()
    body = b"" if response is None else response.body
    if not isinstance(body, bytes):
        closing = task.get_loop().create_task(close_stream(body))
        _closing_tasks.add(closing)
        closing.add_done_callback(_closing_tasks.discard)
