"""What a streamed run has told so far, and which hooks of an event handler each event calls (A98-A98d)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from threadbridge.client._delta_merge import grow
from threadbridge.errors import TranslationError
from threadbridge.types import AssistantStreamEvent, Message, Run, RunStep, ToolCallsStepDetails
from threadbridge.types.message_delta import MessageContentDelta
from threadbridge.types.run_step_delta import ToolCallDelta, ToolCallDeltaObject

#: A hook's name and what it is called with.
HookCall: TypeAlias = tuple[str, tuple[Any, ...]]

_DONE_HOOKS: Mapping[str, str] = {"text": "on_text_done", "image_file": "on_image_file_done"}


class Snapshots:
    """Feed it every event and make the calls it yields, one by one: the state is that of the call being made."""

    def __init__(self) -> None:
        self.run: Run | None = None
        self.messages: dict[str, Message] = {}
        self.steps: dict[str, RunStep] = {}
        self.message: Message | None = None
        self.step: RunStep | None = None
        self._open_content: int | None = None
        self._open_call: tuple[str, int] | None = None  # step id, index

    def feed(self, event: AssistantStreamEvent) -> Iterator[HookCall]:
        """Take the event in. Raises TranslationError for a delta of something that was never created (A98)."""
        react = _REACTIONS.get(event.event)
        if react is not None:
            yield from react(self, event.data)

    # -- What the table below names: one reaction to each event

    def run_moves(self, run: Run) -> Iterator[HookCall]:
        self.run = run
        yield from ()

    def run_rests(self, run: Run) -> Iterator[HookCall]:
        self.run = run
        yield from self._close_call()

    def message_begins(self, message: Message) -> Iterator[HookCall]:
        self.message = self.messages[message.id] = message.model_copy(deep=True)
        self._open_content = None
        yield "on_message_created", (message,)

    def message_grows(self, data: Any) -> Iterator[HookCall]:
        message = self.messages.get(data.id)
        if message is None:
            raise TranslationError(f"a delta of message {data.id} came before its thread.message.created")
        known = len(message.content)
        grow(message, data.delta)
        for piece in data.delta.content or []:
            yield from self._content_grows(message, piece, created=piece.index >= known)
        yield "on_message_delta", (data.delta, message)

    def _content_grows(self, message: Message, piece: MessageContentDelta, *, created: bool) -> Iterator[HookCall]:
        if self._open_content != piece.index:
            yield from self._close_content(message)
            self._open_content = piece.index
        block = message.content[piece.index]
        if block.type == "text":
            if created:
                yield "on_text_created", (block.text,)
            if piece.type == "text" and piece.text is not None:
                yield "on_text_delta", (piece.text, block.text)

    def message_ends(self, message: Message) -> Iterator[HookCall]:
        self.message = self.messages[message.id] = message
        yield from self._close_content(message)
        yield "on_message_done", (message,)

    def _close_content(self, message: Message) -> Iterator[HookCall]:
        index, self._open_content = self._open_content, None
        if index is not None and index < len(message.content):
            block = message.content[index]
            hook = _DONE_HOOKS.get(block.type)
            if hook is not None:
                yield hook, (getattr(block, block.type),)

    def step_begins(self, step: RunStep) -> Iterator[HookCall]:
        self.step = self.steps[step.id] = step.model_copy(deep=True)
        yield "on_run_step_created", (step,)

    def step_goes_on(self, step: RunStep) -> Iterator[HookCall]:
        self.step = self.steps.setdefault(step.id, step.model_copy(deep=True))
        yield from ()

    def step_grows(self, data: Any) -> Iterator[HookCall]:
        step = self.steps.get(data.id)
        if step is None:
            raise TranslationError(f"a delta of run step {data.id} came before its thread.run.step.created")
        grow(step, data.delta)
        details = data.delta.step_details
        if isinstance(details, ToolCallDeltaObject):
            for piece in details.tool_calls or []:
                yield from self._call_grows(step, piece)
        yield "on_run_step_delta", (data.delta, step)

    def _call_grows(self, step: RunStep, piece: ToolCallDelta) -> Iterator[HookCall]:
        place = (step.id, piece.index)
        if self._open_call == place:
            yield "on_tool_call_delta", (piece, self._call(place))
            return
        yield from self._close_call()
        self._open_call = place
        yield "on_tool_call_created", (self._call(place),)

    def step_ends(self, step: RunStep) -> Iterator[HookCall]:
        self.steps[step.id] = step
        yield from self._close_call()
        yield "on_run_step_done", (step,)
        self.step = None

    def _close_call(self) -> Iterator[HookCall]:
        place, self._open_call = self._open_call, None
        if place is not None:
            yield "on_tool_call_done", (self._call(place),)

    def _call(self, place: tuple[str, int]) -> Any:
        step_id, index = place
        details = self.steps[step_id].step_details
        if not isinstance(details, ToolCallsStepDetails) or index >= len(details.tool_calls):
            raise TranslationError(f"run step {step_id} has no tool call number {index}")
        return details.tool_calls[index]


_REACTIONS: Mapping[str, Callable[[Snapshots, Any], Iterator[HookCall]]] = {
    **dict.fromkeys(
        ("thread.run.created", "thread.run.queued", "thread.run.in_progress", "thread.run.cancelling"),
        Snapshots.run_moves,
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
        Snapshots.run_rests,
    ),
    "thread.message.created": Snapshots.message_begins,
    "thread.message.delta": Snapshots.message_grows,
    "thread.message.completed": Snapshots.message_ends,
    "thread.message.incomplete": Snapshots.message_ends,
    "thread.run.step.created": Snapshots.step_begins,
    "thread.run.step.in_progress": Snapshots.step_goes_on,
    "thread.run.step.delta": Snapshots.step_grows,
    **dict.fromkeys(
        (
            "thread.run.step.completed",
            "thread.run.step.failed",
            "thread.run.step.cancelled",
            "thread.run.step.expired",
        ),
        Snapshots.step_ends,
    ),
}
