# Generated from ../_async by .ci/unasync.py: edit there.
"""Streamed events as an iterator."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from threadbridge.client._backend_caller import EventStream
from threadbridge.types import AssistantStreamEvent, parse_event


class Stream:
    """The events of a run, as they come. Close it (or use it in a `with`) when leaving early; the run goes on."""

    def __init__(self, events: EventStream) -> None:
        self._events = events
        #: The id of the last event that was read, for `runs.follow(after=…)`; None where the backend has no ids.
        self.last_event_id: str | None = None

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> AssistantStreamEvent:
        event = self._events.__next__()
        self.last_event_id = event.id
        return parse_event(event)

    def close(self) -> None:
        """Stop listening. The run is not cancelled (A100)."""
        self._events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
