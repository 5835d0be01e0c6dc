"""The timeline of a loaded thread: its messages, and the function calls of its run steps where the model made them.

Objects stay as the source sent them. A message that cannot be sent to a model as it is (an image without a file id, a
text that is null) gets the item that is sent instead, as messages of our own runs have theirs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import cast

from threadbridge.api_types import InputItem, JsonMapping, JsonObject, MessageObject, is_json_list, is_json_object
from threadbridge.ports import Entry
from threadbridge.run_states import TERMINAL_STATUSES, RunStatus
from threadbridge.translation.input_items import strip_to_model_input

#: Seconds after which the legacy service expired a run (A60).
_RUN_SECONDS = 600

_TERMINAL_STATUSES = frozenset(status.value for status in TERMINAL_STATUSES)


def is_active(run: JsonMapping) -> bool:
    """Whether the archive has the run in a status that is not terminal, or in none that the API has."""
    return run.get("status") not in _TERMINAL_STATUSES


def end_active_run(run: JsonObject) -> JsonObject:
    """The run as it ended at the service: nothing can continue it elsewhere. A finished run is returned unchanged.

    A run that was being cancelled is cancelled, any other has expired, at the time it was to expire.
    """
    if not is_active(run):
        return run
    status = _choose_end(run)
    ended: JsonObject = {**run, "status": status.value, "required_action": None, "expires_at": None}
    if status is RunStatus.CANCELLED:
        ended["cancelled_at"] = run.get("cancelled_at") or _compute_end(run)
    return ended


def end_open_step(step: JsonObject, run: JsonObject) -> JsonObject:
    """The step of an active run as the run's end leaves it; a finished step is returned unchanged."""
    if step.get("status") != "in_progress":
        return step
    status = _choose_end(run)
    at = "cancelled_at" if status is RunStatus.CANCELLED else "expired_at"
    return {**step, "status": status.value, at: step.get(at) or _compute_end(run)}


def _choose_end(run: JsonMapping) -> RunStatus:
    return RunStatus.CANCELLED if run.get("status") == RunStatus.CANCELLING.value else RunStatus.EXPIRED


def _compute_end(run: JsonMapping) -> int:
    expires_at, created_at = run.get("expires_at"), run.get("created_at")
    if isinstance(expires_at, int):
        return expires_at
    return created_at + _RUN_SECONDS if isinstance(created_at, int) else 0


def build_timeline(
    messages: Sequence[JsonObject], runs: Sequence[JsonObject], steps: Sequence[JsonObject]
) -> list[Entry]:
    """The entries of a thread, oldest first. Calls precede the message that their run wrote after them.

    Calls after which the run wrote nothing follow its last message; without one, the messages that are older than they.
    """
    entries: list[Entry] = []
    before, after = _place_calls(messages, runs, steps)
    entries += after.pop("", [])
    for message in messages:
        entries += before.pop(message["id"], [])
        entries.append(_build_message_entry(message))
        entries += after.pop(message["id"], [])
    return entries


def _place_calls(
    messages: Sequence[JsonObject], runs: Sequence[JsonObject], steps: Sequence[JsonObject]
) -> tuple[dict[str, list[Entry]], dict[str, list[Entry]]]:
    """The entries of calls by the message that they precede, and by the one that they follow ("": none)."""
    before: defaultdict[str, list[Entry]] = defaultdict(list)
    after: defaultdict[str, list[Entry]] = defaultdict(list)
    steps_by_run: defaultdict[object, list[JsonObject]] = defaultdict(list)
    for step in steps:
        steps_by_run[step.get("run_id")].append(step)
    messages_by_run: defaultdict[object, list[JsonObject]] = defaultdict(list)
    known = set[object]()
    for message in messages:
        known.add(message["id"])
        if message.get("run_id"):
            messages_by_run[message["run_id"]].append(message)
    for run_id in dict.fromkeys([*(run["id"] for run in runs), *steps_by_run]):
        waiting: list[tuple[JsonObject, list[Entry]]] = []
        announced = set[object]()
        for step in steps_by_run.get(run_id, ()):
            created = _get_created_message(step)
            if created is None:
                if calls := _build_calls(step, str(run_id)):
                    waiting.append((step, calls))
            elif created in known:
                announced.add(created)
                before[created] += [entry for _, calls in waiting for entry in calls]
                waiting = []
        own = messages_by_run.get(run_id, [])
        for step, calls in waiting:
            # Messages that no step names, as in exports without them.
            later = (each for each in own if each["id"] not in announced and _time(each) >= _time(step))
            if (following := next(later, None)) is not None:
                before[following["id"]] += calls
            elif own:
                after[own[-1]["id"]] += calls
            else:
                earlier = [each["id"] for each in messages if _time(each) <= _time(step)]
                after[earlier[-1] if earlier else ""] += calls
    return before, after


def _time(body: JsonMapping) -> float:
    created_at = body.get("created_at")
    return created_at if isinstance(created_at, int | float) else 0


def _get_created_message(step: JsonMapping) -> str | None:
    details = step.get("step_details")
    creation = details.get("message_creation") if is_json_object(details) else None
    message_id = creation.get("message_id") if is_json_object(creation) else None
    return message_id if isinstance(message_id, str) else None


def _build_calls(step: JsonMapping, run_id: str) -> list[Entry]:
    """The function calls of a step, then their outputs, as one round of the conversation."""
    details = step.get("step_details")
    calls: object = details.get("tool_calls") if is_json_object(details) else None
    items: list[InputItem] = []
    outputs: list[InputItem] = []
    for call in calls if is_json_list(calls) else ():
        function: object = call.get("function") if is_json_object(call) else None
        if not is_json_object(function):
            continue  # a hosted tool, or a payload that is null
        call_id, name, arguments, output = (
            call.get("id"),
            function.get("name"),
            function.get("arguments"),
            function.get("output"),
        )
        if not (isinstance(call_id, str) and call_id and isinstance(name, str) and name):
            continue
        arguments = arguments if isinstance(arguments, str) else ""
        items.append({"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments})
        if isinstance(output, str):
            outputs.append({"type": "function_call_output", "call_id": call_id, "output": output})
    return [Entry(item=item, run_id=run_id) for item in (*items, *outputs)]


def _build_message_entry(message: JsonObject) -> Entry:
    body = cast("MessageObject", message)
    parts = _clean_parts(message)
    if parts is None and message.get("role") in ("user", "assistant"):
        return Entry(message=body)
    role = "assistant" if message.get("role") == "assistant" else "user"
    content = parts if parts is not None else message["content"]
    sendable = cast("MessageObject", {**message, "role": role, "content": content})
    return Entry(message=body, item=strip_to_model_input(Entry(message=sendable)).item)


def _clean_parts(message: JsonMapping) -> list[JsonObject] | None:
    """The parts that a model can be sent, with a word for an image that names no file; None if all are as they are."""
    content: object = message.get("content")
    if not is_json_list(content):
        return [_build_text(content)] if isinstance(content, str) else []
    clean: list[JsonObject] = []
    is_changed = False
    for part in content:
        kind: object = part.get("type") if is_json_object(part) else None
        value: object = part.get(kind) if isinstance(kind, str) else None
        key = {"text": "value", "image_url": "url", "image_file": "file_id"}.get(str(kind))
        is_sendable = isinstance(value, str) and kind == "refusal"
        if key is not None and is_json_object(value) and isinstance(value.get(key), str):
            is_sendable = bool(value[key]) or kind == "text"
        if is_sendable:
            clean.append(part)
        else:
            is_changed = True
            if kind == "text" and isinstance(value, str):
                clean.append(_build_text(value))
            elif kind in ("image_file", "image_url"):
                clean.append(_build_text("[image]"))
    return clean if is_changed else None


def _build_text(value: str) -> JsonObject:
    return {"type": "text", "text": {"value": value, "annotations": []}}
