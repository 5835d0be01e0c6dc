"""The step of a hosted tool's call: the service runs the call, and each call is a step of its own (§8, A92, A93)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, cast

from threadbridge.api_types import (
    InputItem,
    JsonMapping,
    LastError,
    RunObject,
    RunStepObject,
    StepStatus,
    StepToolCall,
    StepToolCallDelta,
    UsageObject,
)
from threadbridge.ports import Entry, Event, IdGenerator
from threadbridge.translation.citations import CitationResolver
from threadbridge.translation.wire_objects import build_closed_step, build_open_step, build_step_delta, build_step_event

#: Statuses of a call that the service could not finish.
_FAILED_STATUSES = frozenset({"failed", "incomplete"})


class HostedToolWriter:
    """Writes the step of one call. A subclass for each tool builds the details of the call.

    Items and details are `JsonMapping` here, because a registered tool need not be one that `api_types` lists.
    """

    #: The type of the output item.
    item_type: ClassVar[str]
    #: The type of the tool, which is also the key of the call's details.
    tool_type: ClassVar[str]
    #: The step as stored; None until it has ended.
    step: RunStepObject | None = None

    def __init__(
        self, run: RunObject, *, new_id: IdGenerator, now: Callable[[], float], citations: CitationResolver
    ) -> None:
        self._run = run
        self._now = now
        self._citations = citations
        self._call_id = new_id("call")  # hosted items have no call ID, and an item's ID is never shown (§8)
        self._item: JsonMapping | None = None
        self._open_step = build_open_step(
            run, step_id=new_id("step"), created_at=int(now()), details={"type": "tool_calls", "tool_calls": []}
        )

    @property
    def is_finished(self) -> bool:
        """Whether the service has finished the call."""
        return self._item is not None

    def open(self) -> list[Event]:
        """The events that open the step, with a call without results."""
        # The key is the type of the tool, which no literal of a TypedDict can express.
        call = cast(
            "StepToolCallDelta",
            {"index": 0, "id": self._call_id, "type": self.tool_type, self.tool_type: self._build_empty_details()},
        )
        return [
            Event("thread.run.step.created", self._open_step),
            Event("thread.run.step.in_progress", self._open_step),
            build_step_delta(self._open_step["id"], call),
        ]

    def add(self, _fragment: str, /) -> list[Event]:
        """The next characters of the call's input, for a tool that streams it."""
        return []

    def finish(self, item: JsonMapping) -> list[Event]:
        """Take the finished item, and send what was not streamed. A call of a closed step does not change."""
        if self.step is not None or self._item is not None:
            return []
        self._item = item
        return self._apply_item(item)

    def close(self, *, step_status: StepStatus, usage: UsageObject, last_error: LastError | None = None) -> list[Event]:
        """The closing event. A call that was finished before the turn failed is completed all the same."""
        if self._item is not None and self._item.get("status") not in _FAILED_STATUSES:
            step_status, last_error = "completed", None
        call = cast(
            "StepToolCall", {"id": self._call_id, "type": self.tool_type, self.tool_type: self._build_full_details()}
        )
        step: RunStepObject = {**self._open_step, "step_details": {"type": "tool_calls", "tool_calls": [call]}}
        self.step = build_closed_step(step, step_status, at=int(self._now()), usage=usage, last_error=last_error)
        return [build_step_event(self.step, self._run["expires_at"])]

    def build_entry(self) -> Entry:
        """The call as a timeline entry."""
        # An item of a tool that `api_types` does not list is sent back like the others.
        item = cast("InputItem", self._build_replay_item(self._item)) if self._item else None
        return Entry(item=item, run_id=self._run["id"])

    def _build_delta(self, **details: object) -> Event:
        call = cast("StepToolCallDelta", {"index": 0, "type": self.tool_type, self.tool_type: details})
        return build_step_delta(self._open_step["id"], call)

    def _build_empty_details(self) -> Mapping[str, object]:
        raise NotImplementedError

    def _build_full_details(self) -> Mapping[str, object]:
        raise NotImplementedError

    def _apply_item(self, item: JsonMapping, /) -> list[Event]:
        raise NotImplementedError

    def _build_replay_item(self, item: JsonMapping, /) -> JsonMapping:
        return item
