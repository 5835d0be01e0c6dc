"""Streamed events as an iterator."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from threadbridge.client._backend_caller import AsyncEventStream
from threadbridge.types import AssistantStreamEvent, parse_event


class AsyncStream:
    """The events of a run, as they come. Close it (or use it in a `with`) when leaving early; the run goes on."""

    def __init__(self, events: AsyncEventStream) -> None:
        self._events = events
        #: The id of the last event that was read, for `runs.follow(after=…)`; None where the backend has no ids.
        self.last_event_id: str | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AssistantStreamEvent:
        event = await self._events.__anext__()
        self.last_event_id = event.id
        return parse_event(event)

    async def close(self) -> None:
        """Stop listening. The run is not cancelled (A100)."""
        await self._events.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
