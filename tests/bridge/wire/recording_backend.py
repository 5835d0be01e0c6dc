"""A backend that records its calls and returns scripted answers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

from threadbridge.ports import Backend, Event, RequestContext, WarningSink, discard_warning


class BackendCall(NamedTuple):
    """One call of a backend's method."""

    method: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


@dataclass
class RecordingBackend:
    """Every method answers `result`, or raises it if it is an exception; one that can warn says `warnings` before."""

    result: Any = field(default_factory=lambda: {"id": "x"})
    warnings: Sequence[str] = ()
    calls: list[BackendCall] = field(default_factory=list[BackendCall])
    contexts: list[RequestContext] = field(default_factory=list[RequestContext])

    def __getattr__(self, method: str) -> Callable[..., Awaitable[Any]]:
        async def ask(context: RequestContext, *args: Any, warn: WarningSink = discard_warning, **kwargs: Any) -> Any:
            for warning in self.warnings:
                warn(warning)
            self.contexts.append(context)
            self.calls.append(BackendCall(method, args, kwargs))
            if isinstance(self.result, Exception):
                raise self.result
            return self.result

        return ask

    def as_backend(self) -> Backend:
        """The same, for those who ask for the port."""
        return cast("Backend", self)


class StubEventStream(AsyncIterator[Event]):
    """A stream of these events, which raises those of them that are exceptions; says whether it was closed."""

    def __init__(self, *events: Event | Exception) -> None:
        self._events: Sequence[Event | Exception] = events
        self._position = 0
        self.close_count = 0

    async def __anext__(self) -> Event:
        if self._position == len(self._events):
            raise StopAsyncIteration
        event = self._events[self._position]
        self._position += 1
        if isinstance(event, Exception):
            raise event
        return event

    async def aclose(self) -> None:
        """Count the closings."""
        self.close_count += 1
