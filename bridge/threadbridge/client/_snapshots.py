"""What a streamed run has told so far, and which hooks of an event handler each event calls (A98-A98d)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from threadbridge.client._delta_merge import merge_delta
from threadbridge.errors import TranslationError
from threadbridge.types import AssistantStreamEvent, Message, Run, RunStep, ToolCallsStepDetails
from threadbridge.types.message_delta import MessageContentDelta
from threadbridge.types.run_step_delta import ToolCallDelta, ToolCallDeltaObject

#: A hook's name and what it is called with.
HookCall: TypeAlias = tuple[str, tuple[Any, ...]]

_DONE_HOOKS: Mapping[str, str] = {"text": "on_text_done", "image_file": "on_image_file_done"}


class StreamSnapshots:
    """Feed it every event and make the calls it yields, one by one: the state is that of the call being made."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.messages: dict[str, Message] = {}
        self.steps: dict[str, RunStep] = {}
        self.message: Message | None = None
        self.step: RunStep | None = None
        self._open_content_index: int | None = None
        self._open_tool_call: tuple[str, int] | None = None  # step id, index

    def apply_event(self, event: AssistantStreamEvent) -> Iterator[HookCall]:
        """Take the event in. Raises TranslationError for a delta of something that was never created (A98)."""
        handler = _HANDLERS.get(event.event)
        if handler is not None:
            yield from handler(self, event.data)

    # -- What the table below names: one reaction to each event

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
        for piece in data.delta.content or []:
            yield from self._handle_content_delta(message, piece, is_new=piece.index >= content_count)
        yield "on_message_delta", (data.delta, message)

    def _handle_content_delta(
        self, message: Message, piece: MessageContentDelta, *, is_new: bool
    ) -> Iterator[HookCall]:
        if self._open_content_index != piece.index:
            yield from self._close_content(message)
            self._open_content_index = piece.index
        block = message.content[piece.index]
        if block.type == "text":
            if is_new:
                yield "on_text_created", (block.text,)
            if piece.type == "text" and piece.text is not None:
                yield "on_text_delta", (piece.text, block.text)

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
                yield from self._handle_tool_call_delta(step, piece)
        yield "on_run_step_delta", (data.delta, step)

    def _handle_tool_call_delta(self, step: RunStep, piece: ToolCallDelta) -> Iterator[HookCall]:
        position = (step.id, piece.index)
        if self._open_tool_call == position:
            yield "on_tool_call_delta", (piece, self._get_tool_call(position))
            return
        yield from self._close_tool_call()
        self._open_tool_call = position
        yield "on_tool_call_created", (self._get_tool_call(position),)

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
