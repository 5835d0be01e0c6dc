"""A backend that plays back what a test wrote down, and both faces of the client in front of it."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from tests.bridge.client.wire_objects import run, run_event
from threadbridge import AsyncThreadBridge, ThreadBridge
from threadbridge.client._backend_caller import AsyncBackendCaller, BackendCaller
from threadbridge.ports import Backend, BackendCapabilities, Event, RequestContext


@dataclass
class BackendCall:
    """One call that reached the backend."""

    operation: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any]


class StubBackend:
    """Answers each operation from its list, first to last: values are returned, exceptions raised, events streamed."""

    def __init__(
        self, *, streams: bool = True, script: Mapping[str, Sequence[Any]] | None = None, **answers: Sequence[Any]
    ) -> None:
        self.capabilities = BackendCapabilities(streams=streams)
        self.calls: list[BackendCall] = []
        self.contexts: list[RequestContext] = []
        self.close_count = 0
        self.closed_streams = 0
        self._answers = {operation: list(played) for operation, played in {**(script or {}), **answers}.items()}

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        async def play(context: RequestContext, *arguments: Any, **keywords: Any) -> Any:
            self.contexts.append(context)
            self.calls.append(BackendCall(operation, arguments, keywords))
            answer = self._answers[operation].pop(0)
            if isinstance(answer, Exception):
                raise answer
            return self._stream(answer) if operation.startswith(("stream_", "follow_")) else answer

        return play

    async def aclose(self) -> None:
        self.close_count += 1

    async def _stream(self, script: Sequence[Event | Exception]) -> AsyncIterator[Event]:
        try:
            for item in script:
                if isinstance(item, Exception):
                    raise item
                yield item
                await asyncio.sleep(0)
        finally:
            self.closed_streams += 1

    def list_bodies(self, operation: str) -> list[Any]:
        """The last positional argument of every call of an operation."""
        return [call.arguments[-1] for call in self.calls if call.operation == operation]

    def list_operations(self) -> list[str]:
        return [call.operation for call in self.calls]


class SilentBackend(StubBackend):
    """Begins to stream and says nothing more."""

    async def stream_run(self, context: RequestContext, *arguments: Any, **keywords: Any) -> AsyncIterator[Event]:
        async def silence() -> AsyncIterator[Event]:
            yield run_event(run("in_progress"))
            await asyncio.sleep(30)

        return silence()


@dataclass
class AutoAdvancingClock:
    """Time in which sleeping takes none; what was slept is written down."""

    sleeps: list[float] = field(default_factory=list[float])

    def now(self) -> float:
        return 1_790_000_000.0 + sum(self.sleeps)

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        await asyncio.sleep(0)

    def call_later(self, seconds: float, callback: Callable[[], object]) -> Callable[[], object]:
        self.sleeps.append(seconds)
        return asyncio.get_running_loop().call_soon(callback).cancel


@dataclass
class ClientVariant:
    """One colour of the client. `do` takes a function of the client and gives what it comes to."""

    backend: StubBackend
    clock: AutoAdvancingClock
    client: Any

    async def call(self, operation: Callable[[Any], Any]) -> Any:
        if isinstance(self.client, ThreadBridge):
            return await asyncio.to_thread(operation, self.client)
        answer = operation(self.client)
        return await answer if inspect.isawaitable(answer) else answer


def make_async_variant(backend: StubBackend) -> ClientVariant:
    clock = AutoAdvancingClock()
    return ClientVariant(backend, clock, AsyncThreadBridge(AsyncBackendCaller(cast("Backend", backend), clock=clock)))


def make_sync_variant(backend: StubBackend) -> ClientVariant:
    clock = AutoAdvancingClock()
    return ClientVariant(backend, clock, ThreadBridge(BackendCaller(cast("Backend", backend), clock=clock)))


#: Both colours, for parametrized tests.
CLIENT_VARIANTS = {"async": make_async_variant, "sync": make_sync_variant}
