"""The way from a client to its backend, in both colours. Everything above is written once and generated once."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, Self, TypeAlias, TypeVar

from threadbridge.errors import UpstreamTimeout
from threadbridge.ports import Backend, Clock, Event
from threadbridge.runtime.blocking_portal import portal
from threadbridge.runtime.clock_and_ids import SystemClock
from threadbridge.tool_loop.function_calls import Prepared, attempt, settled

T = TypeVar("T")

#: Something a backend is asked.
Ask: TypeAlias = Callable[[Backend], Awaitable[T]]


class Events(Protocol):
    """An opened stream; the synchronous one."""

    def __next__(self) -> Event: ...
    def close(self) -> None: ...


class AsyncEvents(Protocol):
    """An opened stream."""

    def __anext__(self) -> Awaitable[Event]: ...
    async def close(self) -> None: ...


class AsyncLine:
    """Calls on the caller's own event loop."""

    def __init__(self, backend: Backend, *, clock: Clock | None = None) -> None:
        self.backend = backend
        self._closed = False
        self._clock = clock or SystemClock()

    async def ask(self, question: Ask[T], timeout: float | None) -> T:
        """The backend's answer. Raises UpstreamTimeout after `timeout` seconds, what the backend raises otherwise."""
        return await _in_time(question(self.backend), timeout)

    async def open(self, question: Ask[AsyncIterator[Event]], timeout: float | None) -> AsyncEvents:
        """The stream that the backend starts; `timeout` counts for its start and between two events."""
        return _Source(await self.ask(question, timeout), timeout)

    async def sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    async def tell(self, listener: Callable[[Any], object], value: object) -> None:
        """Call a function of the caller's, which may be asynchronous."""
        answer = listener(value)
        if inspect.isawaitable(answer):
            await answer

    async def perform(self, calls: Sequence[Prepared], *, at_once: int) -> list[str]:
        """The outputs of tool calls, in their order: synchronous functions on threads, `at_once` at the same time."""
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="threadbridge-tool")
        turns = asyncio.Semaphore(at_once)

        async def one(call: Prepared) -> str:
            async with turns:
                if call.asynchronous:
                    return await settled(attempt(call))
                context = contextvars.copy_context()
                loop = asyncio.get_running_loop()
                return await settled(await loop.run_in_executor(pool, lambda: context.run(attempt, call)))

        try:
            return await asyncio.gather(*(one(call) for call in calls))
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    async def close(self) -> None:
        """Close the backend; again does nothing."""
        if not self._closed:
            self._closed = True
            await self.backend.aclose()


class Line:
    """Calls from any thread, through the portal. After a fork it opens its backend anew, where it knows how to."""

    def __init__(
        self,
        backend: Backend,
        *,
        clock: Clock | None = None,
        reopen: Callable[[], Coroutine[Any, Any, Backend]] | None = None,
    ) -> None:
        self._backend = backend
        self._closed = False
        self._clock = clock or SystemClock()
        self._reopen = reopen
        self._opening = threading.Lock()
        self._portal = portal()
        self._forget = self._portal.at_exit(backend.aclose)

    @property
    def backend(self) -> Backend:
        """The backend of this process."""
        if portal() is not self._portal:
            with self._opening:
                self._take_over()
        return self._backend

    def _take_over(self) -> None:
        current = portal()
        if current is self._portal:
            return
        if self._reopen is None:
            raise RuntimeError("this backend was opened before the process forked; open one in the child")
        self._backend = current.run(self._reopen())
        self._forget = current.at_exit(self._backend.aclose)
        self._portal = current

    def ask(self, question: Ask[T], timeout: float | None) -> T:
        backend = self.backend

        async def answer() -> T:
            return await _in_time(question(backend), timeout)

        return self._portal.run(answer())

    def open(self, question: Ask[AsyncIterator[Event]], timeout: float | None) -> Events:
        source = self.ask(question, timeout)
        return self._portal.iterate(_Source(source, timeout))

    def sleep(self, seconds: float) -> None:
        self._portal.run(_coroutine(self._clock.sleep(seconds)))

    def tell(self, listener: Callable[[Any], object], value: object) -> None:
        answer = listener(value)
        if inspect.isawaitable(answer):
            self._portal.run(_coroutine(answer))

    def perform(self, calls: Sequence[Prepared], *, at_once: int) -> list[str]:
        pool = ThreadPoolExecutor(at_once, thread_name_prefix="threadbridge-tool")

        def one(call: Prepared) -> str:
            output = attempt(call)
            return output if isinstance(output, str) else self._portal.run(settled(output))

        try:
            pending = [pool.submit(contextvars.copy_context().run, one, call) for call in calls]
            return [future.result() for future in pending]
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        self._forget()
        closed, self._closed = self._closed, True
        if not closed and portal() is self._portal:
            self._portal.run(_coroutine(self._backend.aclose()))


class _Source:
    """A backend's stream that can be closed, and that gives up waiting."""

    def __init__(self, events: AsyncIterator[Event], timeout: float | None) -> None:
        self._events = events
        self._timeout = timeout

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Awaitable[Event]:
        following = anext(self._events)
        return following if self._timeout is None else _in_time(following, self._timeout)

    async def close(self) -> None:
        """Detach from the run, which goes on (A100)."""
        close = getattr(self._events, "aclose", None)
        if close is not None:
            with contextlib.suppress(RuntimeError):  # an async generator that is being read closes with its reader
                await close()

    aclose = close


async def _in_time(answer: Awaitable[T], timeout: float | None) -> T:
    if timeout is None:
        return await answer
    clock = asyncio.timeout(timeout)
    try:
        async with clock:
            return await answer
    except TimeoutError as exc:
        if not clock.expired():
            raise
        raise UpstreamTimeout(f"No answer within {timeout:g} seconds.") from exc


async def _coroutine(answer: Awaitable[T]) -> T:
    return await answer
