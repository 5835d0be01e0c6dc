"""The step of a hosted tool's call: the service runs the call, and each call is a step of its own (§8, A92, A93)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from threadbridge.api_types import (
    LastError,
    StepStatus,
    StepToolCall,
    StepToolCallDelta,
    ToolCallsDetails,
    UsageObject,
)
from threadbridge.ports import Entry, Event, IdGenerator, Wire
from threadbridge.translation.citations import CitationResolver
from threadbridge.translation.wire_objects import build_closed_step, build_open_step, build_step_delta, build_step_event

#: Statuses of a call that the service could not finish.
_FAILED_STATUSES = frozenset({"failed", "incomplete"})


class HostedToolWriter:
    """Writes the step of one call. A tool's own writer says what the call's details are."""

    #: The type of the output item.
    item_type: ClassVar[str]
    #: The type of the tool, which is also the name of the call's details.
    tool_type: ClassVar[str]
    #: The step as stored; None until it has ended.
    step: Wire | None = None

    def __init__(
        self, run: Wire, *, new_id: IdGenerator, now: Callable[[], float], citations: CitationResolver
    ) -> None:
        self._run = run
        self._now = now
        self._citations = citations
        self._call_id = new_id("call")  # hosted items have no call id, and an item's id is never shown (§8)
        self._item: Wire | None = None
        self._open_step = build_open_step(
            run, step_id=new_id("step"), created_at=int(now()), details={"type": "tool_calls", "tool_calls": []}
        )

    @property
    def is_finished(self) -> bool:
        """Whether the service has finished the call."""
        return self._item is not None

    def open(self) -> list[Event]:
        """The events that open the step, with a call without results."""
        # The key is the type of the tool: no literal of a TypedDict can say so.
        empty = cast(
            "StepToolCallDelta",
            {"index": 0, "id": self._call_id, "type": self.tool_type, self.tool_type: self._build_empty_details()},
        )
        return [
            Event("thread.run.step.created", self._open_step),
            Event("thread.run.step.in_progress", self._open_step),
            build_step_delta(self._open_step["id"], empty),
        ]

    def add(self, _fragment: str, /) -> list[Event]:
        """The next characters of the call's input, for a tool that streams it."""
        return []

    def finish(self, item: Wire) -> list[Event]:
        """Take the finished item, and send what was not streamed. A call of a closed step does not change."""
        if self.step is not None or self._item is not None:
            return []
        self._item = item
        return self._apply_item(item)

    def close(self, *, step_status: StepStatus, usage: UsageObject, last_error: LastError | None = None) -> list[Event]:
        """The closing event. A call that was finished before the turn failed is completed all the same."""
        has_succeeded = self._has_succeeded()
        status: StepStatus = "completed" if has_succeeded else step_status
        error = None if has_succeeded else last_error
        call = cast(
            "StepToolCall", {"id": self._call_id, "type": self.tool_type, self.tool_type: self._build_full_details()}
        )
        details: ToolCallsDetails = {"type": "tool_calls", "tool_calls": [call]}
        self.step = build_closed_step(
            {**self._open_step, "step_details": details}, status, at=int(self._now()), usage=usage, last_error=error
        )
        return [build_step_event(self.step, self._run["expires_at"])]

    def build_entry(self) -> Entry:
        """The call as a timeline entry."""
        return Entry(item=self._build_replay_item(self._item) if self._item else None, run_id=self._run["id"])

    def _has_succeeded(self) -> bool:
        return self._item is not None and self._item.get("status") not in _FAILED_STATUSES

    def _build_delta(self, **fields: Any) -> Event:
        call = cast("StepToolCallDelta", {"index": 0, "type": self.tool_type, self.tool_type: fields})
        return build_step_delta(self._open_step["id"], call)

    def _build_empty_details(self) -> Wire:
        raise NotImplementedError

    def _build_full_details(self) -> Wire:
        raise NotImplementedError

    def _apply_item(self, item: Wire) -> list[Event]:
        raise NotImplementedError

    def _build_replay_item(self, item: Wire) -> Wire:
        return item
