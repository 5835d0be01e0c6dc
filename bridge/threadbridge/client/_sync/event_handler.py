# Generated from ../_async by .ci/unasync.py: edit there.
"""The event handler of the openai SDK, hook for hook, on our own events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from threadbridge.client._snapshots import StreamSnapshots
from threadbridge.client._sync.stream import Stream
from threadbridge.types import (
    AssistantStreamEvent,
    ImageFile,
    Message,
    MessageDelta,
    Run,
    RunStep,
    RunStepDelta,
    Text,
    TextDelta,
    ThreadMessageDelta,
    ToolCall,
    ToolCallDelta,
)


class AssistantEventHandler:
    """Override the hooks you need and pass an instance as `event_handler`. One instance follows one stream.

    Snapshots are live: the object a hook receives goes on growing after the hook has returned.
    """

    def __init__(self) -> None:
        self._snapshots = StreamSnapshots()
        self._current_event: AssistantStreamEvent | None = None
        self._stream: Stream | None = None
        self._iterator = self._iterate_events()
        #: Only the text, piece by piece.
        self.text_deltas: Iterator[str] = self._iterate_text()

    def _init(self, stream: Stream) -> None:
        if self._stream is not None:
            raise RuntimeError("an event handler follows one stream; make a new one for the next")
        self._stream = stream

    def __next__(self) -> AssistantStreamEvent:
        return self._iterator.__next__()

    def __iter__(self) -> Iterator[AssistantStreamEvent]:
        return self._iterator

    @property
    def current_event(self) -> AssistantStreamEvent | None:
        """The event whose hooks are being called."""
        return self._current_event

    @property
    def current_run(self) -> Run | None:
        """The run, as the last event told it."""
        return self._snapshots.run

    @property
    def current_run_step_snapshot(self) -> RunStep | None:
        """The step being taken, as far as it is known."""
        return self._snapshots.step

    @property
    def current_message_snapshot(self) -> Message | None:
        """The message being written, as far as it is known."""
        return self._snapshots.message

    def close(self) -> None:
        """Stop listening. The run is not cancelled."""
        if self._stream is not None:
            self._stream.close()

    def until_done(self) -> None:
        """Read the stream to its end, for the sake of the hooks."""
        for _ in self._iterator:
            pass

    def get_final_run(self) -> Run:
        """Read to the end and give the run. Raises RuntimeError when there was none."""
        self.until_done()
        if self._snapshots.run is None:
            raise RuntimeError("No final run object found")
        return self._snapshots.run

    def get_final_run_steps(self) -> list[RunStep]:
        """Read to the end and give the steps. Raises RuntimeError when there were none."""
        self.until_done()
        if not self._snapshots.steps:
            raise RuntimeError("No run steps found")
        return list(self._snapshots.steps.values())

    def get_final_messages(self) -> list[Message]:
        """Read to the end and give the messages. Raises RuntimeError when there were none."""
        self.until_done()
        if not self._snapshots.messages:
            raise RuntimeError("No messages found")
        return list(self._snapshots.messages.values())

    # -- Hooks

    def on_event(self, event: AssistantStreamEvent) -> None:
        """Every event, before its own hooks."""

    def on_end(self) -> None:
        """The stream is over, well or not."""

    def on_exception(self, exception: Exception) -> None:
        """Reading the stream, or a hook, raised."""

    def on_timeout(self) -> None:
        """Nothing came in time; `on_exception` follows."""

    def on_run_step_created(self, run_step: RunStep) -> None:
        """A step begins."""

    def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        """A step has grown by `delta` to `snapshot`."""

    def on_run_step_done(self, run_step: RunStep) -> None:
        """A step has ended."""

    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """A tool call begins."""

    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """A tool call has grown."""

    def on_tool_call_done(self, tool_call: ToolCall) -> None:
        """A tool call is complete, or its output is there."""

    def on_message_created(self, message: Message) -> None:
        """A message begins."""

    def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        """A message has grown."""

    def on_message_done(self, message: Message) -> None:
        """A message is complete, or broke off."""

    def on_text_created(self, text: Text) -> None:
        """A text part begins."""

    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """A text part has grown."""

    def on_text_done(self, text: Text) -> None:
        """A text part is complete."""

    def on_image_file_done(self, image_file: ImageFile) -> None:
        """An image is there."""

    # -- Reading

    def _iterate_events(self) -> Iterator[AssistantStreamEvent]:
        if self._stream is None:
            raise RuntimeError("the stream has not been started; enter the `with` block first")
        try:
            for event in self._stream:
                self._call_hooks(event)
                yield event
        except TimeoutError as exc:
            self.on_timeout()
            self.on_exception(exc)
            raise
        except Exception as exc:
            self.on_exception(exc)
            raise
        finally:
            self.on_end()

    def _call_hooks(self, event: AssistantStreamEvent) -> None:
        self._current_event = event
        self.on_event(event)
        for hook, arguments in self._snapshots.apply_event(event):
            getattr(self, hook)(*arguments)
        self._current_event = None

    def _iterate_text(self) -> Iterator[str]:
        for event in self._iterator:
            if isinstance(event, ThreadMessageDelta):
                for block in event.data.delta.content or []:
                    if block.type == "text" and block.text and block.text.value:
                        yield block.text.value


class StreamHandler(Protocol):
    """What follows a stream: one of ours, or a handler written for the openai SDK, which asks for nothing more."""

    def _init(self, stream: Any) -> None: ...


StreamHandlerT = TypeVar("StreamHandlerT", bound=StreamHandler)


class AssistantStreamManager(Generic[StreamHandlerT]):
    """A run about to be streamed: entering starts it and gives the handler, leaving stops listening."""

    def __init__(self, start: Callable[[], Stream], handler: StreamHandlerT) -> None:
        self._start = start
        self._handler = handler
        self._stream: Stream | None = None

    def __enter__(self) -> StreamHandlerT:
        self._stream = self._start()
        self._handler._init(self._stream)  # pyright: ignore[reportPrivateUsage]  # the SDK's handlers have this name
        return self._handler

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            self._stream.close()
