"""Snapshots of a streamed run, and which hooks of an event handler each event calls (A98-A98d).

A delta changes its snapshot in place: text is appended, numbers are added, lists grow by index (A98a).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Annotated, Any, TypeAlias, cast

from pydantic import TypeAdapter

from threadbridge.errors import TranslationError
from threadbridge.types import AssistantStreamEvent, Message, Run, RunStep, ToolCallsStepDetails, WireModel
from threadbridge.types.deltas import MessageContentDelta, ToolCallDeltaObject

#: The name of a hook and its arguments.
HookCall: TypeAlias = tuple[str, tuple[Any, ...]]

_DONE_HOOKS: Mapping[str, str] = {"text": "on_text_done", "image_file": "on_image_file_done"}


class StreamSnapshots:
    """Takes every event of a run and yields its hook calls. Make each call before the next one: snapshots change."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.messages: dict[str, Message] = {}
        self.steps: dict[str, RunStep] = {}
        self.message: Message | None = None
        self.step: RunStep | None = None
        self._open_content_index: int | None = None
        self._open_tool_call: tuple[str, int] | None = None  # step id, index

    def apply_event(self, event: AssistantStreamEvent) -> Iterator[HookCall]:
        """Update the snapshots. Raises TranslationError for a delta of an object that was not created before (A98)."""
        handler = _HANDLERS.get(event.event)
        if handler is not None:
            yield from handler(self, event.data)

    # -- One handler per kind of event; `_HANDLERS` has their events

    def handle_run_update(self, run: Run) -> Iterator[HookCall]:
        self.run = run
        yield from ()

    def handle_run_stop(self, run: Run) -> Iterator[HookCall]:
        self.run = run
        yield from self._close_tool_call()

    def handle_message_created(self, message: Message) -> Iterator[HookCall]:
        self.message = self.messages[message.id] = message.model_copy(deep=True)
        self._open_content_index = None
        yield "on_message_created", (message,)

    def handle_message_delta(self, data: Any) -> Iterator[HookCall]:
        message = self.messages.get(data.id)
        if message is None:
            raise TranslationError(f"a delta of message {data.id} came before its thread.message.created")
        content_count = len(message.content)
        merge_delta(message, data.delta)
        for piece in cast("list[MessageContentDelta]", data.delta.content or []):
            if self._open_content_index != piece.index:
                yield from self._close_content(message)
                self._open_content_index = piece.index
            block = message.content[piece.index]
            if block.type == "text":
                if piece.index >= content_count:
                    yield "on_text_created", (block.text,)
                if piece.type == "text" and piece.text is not None:
                    yield "on_text_delta", (piece.text, block.text)
        yield "on_message_delta", (data.delta, message)

    def handle_message_end(self, message: Message) -> Iterator[HookCall]:
        self.message = self.messages[message.id] = message
        yield from self._close_content(message)
        yield "on_message_done", (message,)

    def _close_content(self, message: Message) -> Iterator[HookCall]:
        index, self._open_content_index = self._open_content_index, None
        if index is not None and index < len(message.content):
            block = message.content[index]
            hook = _DONE_HOOKS.get(block.type)
            if hook is not None:
                yield hook, (getattr(block, block.type),)

    def handle_step_created(self, step: RunStep) -> Iterator[HookCall]:
        self.step = self.steps[step.id] = step.model_copy(deep=True)
        yield "on_run_step_created", (step,)

    def handle_step_in_progress(self, step: RunStep) -> Iterator[HookCall]:
        self.step = self.steps.setdefault(step.id, step.model_copy(deep=True))
        yield from ()

    def handle_step_delta(self, data: Any) -> Iterator[HookCall]:
        step = self.steps.get(data.id)
        if step is None:
            raise TranslationError(f"a delta of run step {data.id} came before its thread.run.step.created")
        merge_delta(step, data.delta)
        details = data.delta.step_details
        if isinstance(details, ToolCallDeltaObject):
            for piece in details.tool_calls or []:
                position = (step.id, piece.index)
                if self._open_tool_call == position:
                    yield "on_tool_call_delta", (piece, self._get_tool_call(position))
                    continue
                yield from self._close_tool_call()
                self._open_tool_call = position
                yield "on_tool_call_created", (self._get_tool_call(position),)
        yield "on_run_step_delta", (data.delta, step)

    def handle_step_end(self, step: RunStep) -> Iterator[HookCall]:
        self.steps[step.id] = step
        yield from self._close_tool_call()
        yield "on_run_step_done", (step,)
        self.step = None

    def _close_tool_call(self) -> Iterator[HookCall]:
        position, self._open_tool_call = self._open_tool_call, None
        if position is not None:
            yield "on_tool_call_done", (self._get_tool_call(position),)

    def _get_tool_call(self, position: tuple[str, int]) -> Any:
        step_id, index = position
        details = self.steps[step_id].step_details
        if not isinstance(details, ToolCallsStepDetails) or index >= len(details.tool_calls):
            raise TranslationError(f"run step {step_id} has no tool call number {index}")
        return details.tool_calls[index]


_HANDLERS: Mapping[str, Callable[[StreamSnapshots, Any], Iterator[HookCall]]] = {
    **dict.fromkeys(
        ("thread.run.created", "thread.run.queued", "thread.run.in_progress", "thread.run.cancelling"),
        StreamSnapshots.handle_run_update,
    ),
    **dict.fromkeys(
        (
            "thread.run.requires_action",
            "thread.run.completed",
            "thread.run.incomplete",
            "thread.run.failed",
            "thread.run.cancelled",
            "thread.run.expired",
        ),
        StreamSnapshots.handle_run_stop,
    ),
    "thread.message.created": StreamSnapshots.handle_message_created,
    "thread.message.delta": StreamSnapshots.handle_message_delta,
    "thread.message.completed": StreamSnapshots.handle_message_end,
    "thread.message.incomplete": StreamSnapshots.handle_message_end,
    "thread.run.step.created": StreamSnapshots.handle_step_created,
    "thread.run.step.in_progress": StreamSnapshots.handle_step_in_progress,
    "thread.run.step.delta": StreamSnapshots.handle_step_delta,
    **dict.fromkeys(
        (
            "thread.run.step.completed",
            "thread.run.step.failed",
            "thread.run.step.cancelled",
            "thread.run.step.expired",
        ),
        StreamSnapshots.handle_step_end,
    ),
}


#: Fields that every delta repeats: they say which entry of a list it belongs to.
_LABELS = frozenset({"index", "type"})


def merge_delta(snapshot: WireModel, delta: WireModel) -> None:
    """Add a delta to a snapshot, field by field."""
    for name in delta.model_fields_set:
        current: object = getattr(snapshot, name, None)
        piece: object = getattr(delta, name)
        merged = current
        if piece is None:
            pass
        elif current is None or name in _LABELS:
            merged = _validate_field_value(type(snapshot), name, piece)
        elif isinstance(current, WireModel) and isinstance(piece, WireModel):
            merge_delta(current, piece)
        elif isinstance(current, list) and isinstance(piece, list):
            entries = cast("list[WireModel]", current)
            for entry in cast("list[WireModel]", piece):
                index: object = getattr(entry, "index", None)
                if isinstance(index, int) and index < len(entries):
                    merge_delta(entries[index], entry)
                else:
                    entries.extend(_validate_field_value(type(snapshot), name, [entry]))
        else:
            merged = _merge_json_values(current, piece)
        setattr(snapshot, name, merged)


def _merge_json_values(current: Any, piece: Any) -> Any:
    """Plain JSON values, from types that these models do not know."""
    match current, piece:
        case str(), str():
            return current + piece
        case bool(), _:
            return piece
        case int() | float(), int() | float():
            return current + piece
        case dict(), dict():
            merged = cast("dict[str, Any]", {**current})
            for key, value in cast("dict[str, Any]", piece).items():
                is_addition = key in merged and key not in _LABELS
                merged[key] = _merge_json_values(merged[key], value) if is_addition else value
            return merged
        case _:
            return piece


def _validate_field_value(owner: type[WireModel], name: str, piece: object) -> Any:
    """The first delta of a field as the snapshot holds it: an instance of the snapshot's class, not of the delta's."""
    if name not in owner.model_fields:
        return piece
    return _get_field_adapter(owner, name).validate_python(_dump_models(piece))


def _dump_models(piece: object) -> object:
    if isinstance(piece, WireModel):
        return piece.model_dump(exclude_unset=True)
    return [_dump_models(entry) for entry in cast("list[object]", piece)] if isinstance(piece, list) else piece


@lru_cache(maxsize=256)
def _get_field_adapter(owner: type[WireModel], name: str) -> TypeAdapter[Any]:
    field = owner.model_fields[name]
    shape: Any = Annotated[field.annotation, field]
    return TypeAdapter(shape)
