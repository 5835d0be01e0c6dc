"""The function calls of one response, and the one step that holds them."""

from __future__ import annotations

from collections.abc import Callable

from threadbridge.api_types import (
    FunctionCallItem,
    FunctionDelta,
    FunctionToolCall,
    LastError,
    RequiredAction,
    RunObject,
    RunStepObject,
    RunToolCall,
    StepStatus,
    UsageObject,
)
from threadbridge.ports import Entry, Event, IdGenerator
from threadbridge.translation.wire_objects import build_closed_step, build_open_step, build_step_delta, build_step_event

#: The arguments of a call for which a model wrote none.
EMPTY_ARGUMENTS = "{}"


class FunctionCallWriter:
    """One function call: its index in the step and the fragments of its arguments so far."""

    item_type = "function_call"

    __slots__ = ("_fragments", "_item", "_run_id", "_step_id", "call_id", "index", "name")

    def __init__(self, step_id: str, run_id: str, *, index: int, call_id: str, name: str) -> None:
        self._step_id = step_id
        self._run_id = run_id
        self.index = index
        self.call_id = call_id
        self.name = name
        self._fragments: list[str] = []
        self._item: FunctionCallItem | None = None

    def open(self) -> Event:
        """The one delta with ID and name: clients concatenate what is sent twice (A91, A98a)."""
        function: FunctionDelta = {"name": self.name, "arguments": "", "output": None}
        return build_step_delta(
            self._step_id, {"index": self.index, "id": self.call_id, "type": "function", "function": function}
        )

    def add(self, fragment: str) -> Event:
        """The delta of the next fragment of the arguments."""
        self._fragments.append(fragment)
        return build_step_delta(
            self._step_id, {"index": self.index, "type": "function", "function": {"arguments": fragment}}
        )

    def finish(self, item: FunctionCallItem) -> list[Event]:
        """Take the finished item, and send what the deltas left out. What was streamed stays."""
        self._item = item
        streamed, whole = self.arguments, item.get("arguments") or ""
        rest = whole[len(streamed) :] if whole.startswith(streamed) else ""
        return [*([self.add(rest)] if rest else []), *self.complete()]

    def complete(self) -> list[Event]:
        """Make the arguments an empty object if the model wrote none: clients and strict services parse them."""
        return [] if self.arguments.strip() else [self.add(EMPTY_ARGUMENTS)]

    @property
    def arguments(self) -> str:
        """The arguments as the client has them."""
        return "".join(self._fragments)

    def build_required_call(self) -> RunToolCall:
        """The call as `required_action` shows it (A64)."""
        return {
            "id": self.call_id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments},
        }

    def build_step_call(self) -> FunctionToolCall:
        """The call as its step shows it while it has no output (A76)."""
        return {
            "id": self.call_id,
            "type": "function",
            "function": {"name": self.name, "arguments": self.arguments, "output": None},
        }

    def build_entry(self) -> Entry:
        """The call as a timeline entry: the item to replay, with the ID and arguments that the client has."""
        known: FunctionCallItem = {
            "type": "function_call",
            "call_id": self.call_id,
            "name": self.name,
            "arguments": self.arguments,
        }
        item: FunctionCallItem = known if self._item is None else {**self._item, **known}
        return Entry(item=item, run_id=self._run_id)


class ToolCallsWriter:
    """The tool_calls step of a turn. It opens with the first call and stays open for the tool outputs (A70, A75)."""

    #: The step as stored last; None until the turn has ended.
    step: RunStepObject | None = None

    def __init__(self, run: RunObject, *, new_id: IdGenerator, now: Callable[[], float]) -> None:
        self._run = run
        self._now = now
        self._open_step = build_open_step(
            run,
            step_id=new_id("step"),
            created_at=int(now()),
            details={"type": "tool_calls", "tool_calls": []},
        )
        self._calls: list[FunctionCallWriter] = []

    def open(self) -> list[Event]:
        """The two events that announce the step, still without calls (A75, A91)."""
        return [
            Event("thread.run.step.created", self._open_step),
            Event("thread.run.step.in_progress", self._open_step),
        ]

    def add_call(self, call_id: str, name: str) -> FunctionCallWriter:
        """One more call of the step."""
        call = FunctionCallWriter(
            self._open_step["id"], self._run["id"], index=len(self._calls), call_id=call_id, name=name
        )
        self._calls.append(call)
        return call

    def build_required_action(self) -> RequiredAction:
        """What the client must do now (A64)."""
        calls = [call.build_required_call() for call in self._calls]
        return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": calls}}

    def leave_open(self) -> list[Event]:
        """Leave the step in progress for the tool outputs, its usage null (A75, A78).

        Returns what the calls still lack: some servers never finish an item (S4).
        """
        events = [event for call in self._calls for event in call.complete()]
        self.step = self._build_step()
        return events

    def close(self, *, step_status: StepStatus, usage: UsageObject, last_error: LastError | None = None) -> list[Event]:
        """The closing event of a turn that ends without tool outputs."""
        at = int(self._now())
        self.step = build_closed_step(self._build_step(), step_status, at=at, usage=usage, last_error=last_error)
        return [build_step_event(self.step, self._run["expires_at"])]

    def _build_step(self) -> RunStepObject:
        calls = [call.build_step_call() for call in self._calls]
        return {**self._open_step, "step_details": {"type": "tool_calls", "tool_calls": [*calls]}}
