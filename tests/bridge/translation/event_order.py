"""The legal order of a turn's events (A73, A74, A89-A96, A98-A98d) as a table, and a judge that reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from threadbridge.api_types import is_json_list
from threadbridge.ports import Event

START = "start"
_CLOSED = ("completed", "failed", "cancelled", "expired")
_RUN_ENDS = ("run.requires_action", "run.completed", "run.incomplete", "run.failed", "run.cancelled", "run.expired")
_MESSAGE_STEP_ENDS = tuple(f"step.{status} message_creation" for status in _CLOSED)
_CALLS_STEP_ENDS = tuple(f"step.{status} tool_calls" for status in _CLOSED)
_NEW_STEP = ("step.created message_creation", "step.created tool_calls")

#: What may follow what. `run.cancelling` may come between any two (A95) and is looked at apart.
FOLLOWS: Mapping[str, tuple[str, ...]] = {
    START: (*_NEW_STEP, *_RUN_ENDS),
    "step.created message_creation": ("step.in_progress message_creation",),
    "step.in_progress message_creation": ("message.created",),
    "message.created": ("message.in_progress",),
    "message.in_progress": ("message.delta", "step.delta"),
    "message.delta": ("message.delta", "message.completed", "message.incomplete", "step.delta"),
    "message.completed": ("step.completed message_creation",),
    "message.incomplete": _MESSAGE_STEP_ENDS,
    "step.created tool_calls": ("step.in_progress tool_calls",),
    "step.in_progress tool_calls": ("step.delta",),
    "step.delta": (
        "step.delta",
        "message.delta",
        "message.completed",
        "message.incomplete",
        *_NEW_STEP,
        *_CALLS_STEP_ENDS,
        *_RUN_ENDS,
    ),
    **dict.fromkeys(_MESSAGE_STEP_ENDS, (*_NEW_STEP, "step.delta", *_CALLS_STEP_ENDS, *_RUN_ENDS)),
    **dict.fromkeys(_CALLS_STEP_ENDS, (*_NEW_STEP, *_CALLS_STEP_ENDS, "message.incomplete", *_RUN_ENDS)),
}


def name_event(event: Event) -> str:
    """The table's word for an event."""
    name = event.name.removeprefix("thread.")
    kind = event.data.get("type", "") if name.startswith("run.step.") else ""
    return f"{name.removeprefix('run.') if kind or name.endswith('step.delta') else name} {kind}".strip()


class EventOrderChecker:
    """Looks at events one by one, puts the deltas together as a client does, and fails at the first illegal one."""

    def __init__(self) -> None:
        self.parts_by_message: dict[str, list[Any]] = {}  # message id: its parts, as accumulated
        self.calls_by_step: dict[str, list[Any]] = {}  # step id: its calls, as accumulated
        self.run: Any | None = None  # the last run, once the turn is over
        self.steps: dict[str, Any] = {}  # as seen last
        self._last = START
        self._open: set[str] = set()
        self._closed: set[str] = set()

    @property
    def calls(self) -> list[Any]:
        """The function calls."""
        return [call for calls in self.calls_by_step.values() for call in calls if call["type"] == "function"]

    def check(self, events: Sequence[Event]) -> None:
        for event in events:
            name = name_event(event)
            assert self.run is None, f"{name} after the end"
            if name == "run.cancelling":
                continue
            assert name in FOLLOWS[self._last], f"{name} after {self._last}"
            self._last = name
            check: Callable[[Any, Any], None] = self._CHECKS.get(event.name, EventOrderChecker._check_run_end)
            check(self, event.data)

    def _open_object(self, new: Any) -> None:
        assert new["id"] not in self._open | self._closed
        assert new["status"] == "in_progress"
        self._open.add(new["id"])

    def _check_step_created(self, step: Any) -> None:
        assert not self._open & self.parts_by_message.keys(), "a step opens while a message is open"
        assert step["usage"] is None
        self._open_object(step)
        self.steps[step["id"]] = step

    def _check_step_in_progress(self, step: Any) -> None:
        assert self.steps[step["id"]] == step

    def _check_message_created(self, message: Any) -> None:
        newest = list(self.steps.values())[-1]
        assert newest["step_details"] == {
            "type": "message_creation",
            "message_creation": {"message_id": message["id"]},
        }
        assert message["content"] == []
        self._open_object(message)
        self.parts_by_message[message["id"]] = []

    def _check_message_in_progress(self, message: Any) -> None:
        assert message["id"] in self._open
        assert message["content"] == []

    def _check_message_delta(self, delta: Any) -> None:
        assert delta["id"] in self._open
        [part] = delta["delta"]["content"]
        _accumulate(self.parts_by_message[delta["id"]], part)

    def _check_step_delta(self, delta: Any) -> None:
        assert delta["id"] in self._open
        [call] = delta["delta"]["step_details"]["tool_calls"]
        _accumulate(self.calls_by_step.setdefault(delta["id"], []), call)

    def _check_message_closed(self, message: Any) -> None:
        assert self.parts_by_message[message["id"]], "a message without a delta (A98b)"
        streamed = [_strip_quotes(part) for part in self.parts_by_message[message["id"]]]
        assert message["content"] == streamed, "the content is not what was streamed"
        self.parts_by_message[message["id"]] = streamed
        self._close_object(message)

    def _check_step_closed(self, step: Any) -> None:
        assert step["expires_at"] is not None  # A72: in a stream, ended steps too
        assert step["usage"] is not None
        if step["type"] == "tool_calls":
            step_calls = [_strip_results(call) for call in step["step_details"]["tool_calls"]]
            assert step_calls == self.calls_by_step[step["id"]], "the calls are not what was streamed"
        self._close_object(step)
        self.steps[step["id"]] = step

    def _close_object(self, ended: Any) -> None:
        assert ended["status"] != "in_progress"
        self._open.remove(ended["id"])
        self._closed.add(ended["id"])

    def _check_run_end(self, run: Any) -> None:
        waiting = {step_id for step_id in self._open if self.steps[step_id]["type"] == "tool_calls"}
        assert self._open == (waiting if run["status"] == "requires_action" else set())
        self.run = run

    _CHECKS: ClassVar[Mapping[str, Callable[[Any, Any], None]]] = {
        "thread.run.step.created": _check_step_created,
        "thread.run.step.in_progress": _check_step_in_progress,
        "thread.run.step.delta": _check_step_delta,
        **dict.fromkeys((f"thread.run.step.{status}" for status in _CLOSED), _check_step_closed),
        "thread.message.created": _check_message_created,
        "thread.message.in_progress": _check_message_in_progress,
        "thread.message.delta": _check_message_delta,
        "thread.message.completed": _check_message_closed,
        "thread.message.incomplete": _check_message_closed,
    }


def _accumulate(entries: list[Any], fragment: Any) -> None:
    """Merge one entry of a delta list by the client's rules (A98a): strings are added, `index` and `type` replaced."""
    index = fragment["index"]
    assert index <= len(entries), "an index was left out"
    body = {name: value for name, value in fragment.items() if name != "index"}
    if index == len(entries):
        entries.append(_merge({}, body))
    else:
        entries[index] = _merge(entries[index], body)


def _merge(old: Any, new: Any) -> Any:
    merged = dict(old)
    for name, value in new.items():
        if is_json_list(value):
            merged[name] = list(old.get(name, []))
            for entry in value:
                _accumulate(merged[name], entry)
        elif isinstance(value, dict):
            merged[name] = _merge(old.get(name) or {}, value)
        elif name == "type" or old.get(name) is None:
            merged[name] = value
        elif isinstance(value, str):
            merged[name] = old[name] + value
        else:
            raise AssertionError(f"{name} was sent twice")
    return merged


def _strip_quotes(part: Any) -> Any:
    """The part without what only deltas have (A87)."""
    if part["type"] != "text":
        return part
    annotations = [
        {**annotation, "file_citation": {"file_id": annotation["file_citation"]["file_id"]}}
        if annotation["type"] == "file_citation"
        else annotation
        for annotation in part["text"]["annotations"]
    ]
    return {**part, "text": {**part["text"], "annotations": annotations}}


def _strip_results(call: Any) -> Any:
    """The call without results, which no delta tells (A92)."""
    return {**call, "file_search": {**call["file_search"], "results": []}} if call["type"] == "file_search" else call


def check_turn(events: Sequence[Event]) -> EventOrderChecker:
    """The judge after a whole turn, which must have ended."""
    checker = EventOrderChecker()
    checker.check(events)
    assert checker.run is not None, "the turn did not end"
    return checker
