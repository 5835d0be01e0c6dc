"""How a client calls its backend: on the caller's event loop, or from any thread through the blocking portal."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import os
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Protocol, Self, TypeAlias, TypeVar

from threadbridge.errors import UpstreamTimeout
from threadbridge.ports import Backend, Clock, Event, RequestContext
from threadbridge.runtime.blocking_portal import BlockingPortal, close_later, get_portal
from threadbridge.runtime.clock_and_ids import SystemClock
from threadbridge.settings import DEFAULT_TENANT
from threadbridge.tool_loop import PreparedCall, await_output, invoke

T = TypeVar("T")

#: A call of one method of a backend.
BackendCall: TypeAlias = Callable[[Backend, RequestContext], Awaitable[T]]
#: A call of a method that starts a stream.
StreamCall: TypeAlias = BackendCall[AsyncIterator[Event]]


class EventStream(Protocol):
    """An open stream of events, read synchronously."""

    def __next__(self) -> Event: ...
    def close(self) -> None: ...


class AsyncEventStream(Protocol):
    """An open stream of events."""

    def __anext__(self) -> Awaitable[Event]: ...
    async def close(self) -> None: ...


class AsyncBackendCaller:
    """Calls a backend on the caller's own event loop. If it is collected without `close`, the backend is closed."""

    def __init__(self, backend: Backend, *, tenant: str = DEFAULT_TENANT, clock: Clock | None = None) -> None:
        self.backend = backend
        self._context = RequestContext(tenant)
        self._closed = False
        self._clock = clock or SystemClock()
        with contextlib.suppress(RuntimeError):  # created outside of a loop: the owner of the backend closes it
            weakref.finalize(
                self, close_later, asyncio.get_running_loop(), backend.aclose, pid=os.getpid()
            ).atexit = False

    async def call(self, operation: BackendCall[T], timeout: float | None) -> T:
        """The result of the backend. Raises UpstreamTimeout after `timeout` seconds, and what the backend raises."""
        return await _await_with_timeout(operation(self.backend, self._context), timeout)

    async def open_stream(self, operation: StreamCall, timeout: float | None) -> AsyncEventStream:
        """The stream that the backend starts; `timeout` limits its start and the time between two events."""
        return _EventStreamWithTimeout(await self.call(operation, timeout), timeout, owner=self)

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    async def notify(self, callback: Callable[[Any], object], value: object) -> None:
        """Call a callback of the user, which may be asynchronous."""
        result = callback(value)
        if inspect.isawaitable(result):
            await result

    async def run_tool_calls(self, calls: Sequence[PreparedCall], *, max_parallel: int) -> list[str]:
        """The outputs of tool calls in their order, up to `max_parallel` at a time; functions run on threads."""
        pool = ThreadPoolExecutor(max_parallel, thread_name_prefix="threadbridge-tool")
        semaphore = asyncio.Semaphore(max_parallel)

        async def run_one(call: PreparedCall) -> str:
            async with semaphore:
                if call.is_async:
                    return await await_output(invoke(call))
                context = contextvars.copy_context()
                loop = asyncio.get_running_loop()
                return await await_output(await loop.run_in_executor(pool, lambda: context.run(invoke, call)))

        try:
            return await asyncio.gather(*(run_one(call) for call in calls))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    async def close(self) -> None:
        """Close the backend. Further calls do nothing."""
        if not self._closed:
            self._closed = True
            await self.backend.aclose()


class BackendCaller:
    """Calls a backend from any thread, through the portal. After a fork, `reopen` opens the backend of the child.

    If it is collected without `close`, the backend is closed.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        tenant: str = DEFAULT_TENANT,
        clock: Clock | None = None,
        reopen: Callable[[], Coroutine[Any, Any, Backend]] | None = None,
    ) -> None:
        self._backend = backend
        self._context = RequestContext(tenant)
        self._closed = False
        self._clock = clock or SystemClock()
        self._open_backend = reopen
        self._portal = get_portal()
        self._reopening: dict[BlockingPortal, Future[Backend]] = {}
        self._register_backend(backend, self._portal)

    def _register_backend(self, backend: Backend, portal: BlockingPortal) -> None:
        unregister = portal.register_exit_callback(backend.aclose)
        self._finalizer = weakref.finalize(self, _close_backend, portal, backend, unregister)
        self._finalizer.atexit = False  # the portal closes it
        self._unregister_exit_callback = unregister

    @property
    def backend(self) -> Backend:
        """The backend of this process."""
        current = get_portal()
        if current is self._portal:
            return self._backend
        # This process was forked: open its backend, once. No lock is held meanwhile (see `blocking_portal`).
        if self._open_backend is None:
            raise RuntimeError("this backend was opened before the process forked; open one in the child")
        opened = Future[Backend]()
        first = self._reopening.setdefault(current, opened)
        if first is not opened:
            return first.result()  # another thread opens it
        try:
            backend = current.run(self._open_backend())
        except BaseException as error:
            del self._reopening[current]  # the next call tries again
            opened.set_exception(error)
            raise
        self._backend = backend
        self._finalizer.detach()
        self._register_backend(backend, current)
        self._portal = current
        opened.set_result(backend)
        return backend

    def call(self, operation: BackendCall[T], timeout: float | None) -> T:
        backend = self.backend

        async def call_backend() -> T:
            return await _await_with_timeout(operation(backend, self._context), timeout)

        return self._portal.run(call_backend())

    def open_stream(self, operation: StreamCall, timeout: float | None) -> EventStream:
        events = self.call(operation, timeout)
        return self._portal.iterate(_EventStreamWithTimeout(events, timeout), owner=self)

    def sleep(self, seconds: float) -> None:
        self._portal.run(_to_coroutine(self._clock.sleep(seconds)))

    def notify(self, callback: Callable[[Any], object], value: object) -> None:
        result = callback(value)
        if inspect.isawaitable(result):
            self._portal.run(_to_coroutine(result))

    def run_tool_calls(self, calls: Sequence[PreparedCall], *, max_parallel: int) -> list[str]:
        pool = ThreadPoolExecutor(max_parallel, thread_name_prefix="threadbridge-tool")

        def run_one(call: PreparedCall) -> str:
            output = invoke(call)
            return output if isinstance(output, str) else self._portal.run(await_output(output))

        try:
            pending = [pool.submit(contextvars.copy_context().run, run_one, call) for call in calls]
            return [future.result() for future in pending]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        self._unregister_exit_callback()
        self._finalizer.detach()
        was_closed, self._closed = self._closed, True
        if not was_closed and get_portal() is self._portal:
            self._portal.run(_to_coroutine(self._backend.aclose()))


def _close_backend(portal: BlockingPortal, backend: Backend, unregister: Callable[[], None]) -> None:
    unregister()
    close_later(portal.loop, backend.aclose, pid=portal.pid)


class _EventStreamWithTimeout:
    """A backend's stream with a timeout between two events."""

    def __init__(self, events: AsyncIterator[Event], timeout: float | None, *, owner: object = None) -> None:
        self._owner = owner  # its backend is closed when it is collected
        self._events = events
        self._timeout = timeout

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[Event]:
        next_event = anext(self._events)
        return next_event if self._timeout is None else _await_with_timeout(next_event, self._timeout)

    async def close(self) -> None:
        """Detach from the run, which continues (A100)."""
        close = getattr(self._events, "aclose", None)
        if close is not None:
            with contextlib.suppress(RuntimeError):  # an async generator that is being read is closed by its reader
                await close()

    aclose = close


async def _await_with_timeout(awaitable: Awaitable[T], timeout: float | None) -> T:
    if timeout is None:
        return await awaitable
    deadline = asyncio.timeout(timeout)
    try:
        async with deadline:
            return await awaitable
    except TimeoutError as exc:
        if not deadline.expired():
            raise
        raise UpstreamTimeout(f"No answer within {timeout:g} seconds.") from exc


async def _to_coroutine(awaitable: Awaitable[T]) -> T:
    return await awaitable
