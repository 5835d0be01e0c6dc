"""Streams of a run's events, and the event handler of the openai SDK, hook for hook, on our own events."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeVar

from threadbridge.client._backend_caller import AsyncEventStream
from threadbridge.client._snapshots import StreamSnapshots
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
    parse_event,
)


class AsyncStream:
    """The events of a run in the order of their arrival.

    Close it (or use it in a `with`) if you do not read it to its end; the run continues.
    """

    def __init__(self, events: AsyncEventStream) -> None:
        self._events = events
        #: The id of the last event that was read, for `runs.follow(after=…)`; None if the backend's events have no ids.
        self.last_event_id: str | None = None

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> AssistantStreamEvent:
        event = await self._events.__anext__()
        self.last_event_id = event.id
        return parse_event(event)

    async def close(self) -> None:
        """Stop reading the stream. The run continues (A100)."""
        await self._events.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()


class AsyncAssistantEventHandler:
    """Override the hooks you need and pass an instance as `event_handler`. One instance reads one stream.

    Snapshots are live: later deltas change the object that a hook received.
    """

    def __init__(self) -> None:
        self._snapshots = StreamSnapshots()
        self._current_event: AssistantStreamEvent | None = None
        self._stream: AsyncStream | None = None
        self._iterator = self._iterate_events()
        #: The text of the messages, delta by delta.
        self.text_deltas: AsyncIterator[str] = self._iterate_text()

    def _init(self, stream: AsyncStream) -> None:
        if self._stream is not None:
            raise RuntimeError("an event handler follows one stream; make a new one for the next")
        self._stream = stream

    async def __anext__(self) -> AssistantStreamEvent:
        return await self._iterator.__anext__()

    def __aiter__(self) -> AsyncIterator[AssistantStreamEvent]:
        return self._iterator

    @property
    def current_event(self) -> AssistantStreamEvent | None:
        """The event whose hooks are being called."""
        return self._current_event

    @property
    def current_run(self) -> Run | None:
        """The run in the last event that has one."""
        return self._snapshots.run

    @property
    def current_run_step_snapshot(self) -> RunStep | None:
        """The current run step with all deltas so far."""
        return self._snapshots.step

    @property
    def current_message_snapshot(self) -> Message | None:
        """The current message with all deltas so far."""
        return self._snapshots.message

    async def close(self) -> None:
        """Stop reading the stream. The run continues (A100)."""
        if self._stream is not None:
            await self._stream.close()

    async def until_done(self) -> None:
        """Read the stream to its end, so that all hooks are called."""
        async for _ in self._iterator:
            pass

    async def get_final_run(self) -> Run:
        """The run at the end of the stream. Raises RuntimeError if no event had one."""
        await self.until_done()
        if self._snapshots.run is None:
            raise RuntimeError("No final run object found")
        return self._snapshots.run

    async def get_final_run_steps(self) -> list[RunStep]:
        """The run steps at the end of the stream. Raises RuntimeError if there were none."""
        await self.until_done()
        if not self._snapshots.steps:
            raise RuntimeError("No run steps found")
        return list(self._snapshots.steps.values())

    async def get_final_messages(self) -> list[Message]:
        """The messages at the end of the stream. Raises RuntimeError if there were none."""
        await self.until_done()
        if not self._snapshots.messages:
            raise RuntimeError("No messages found")
        return list(self._snapshots.messages.values())

    # -- Hooks

    async def on_event(self, event: AssistantStreamEvent) -> None:
        """Called with every event, before its own hooks."""

    async def on_end(self) -> None:
        """Called at the end of the stream, also after an exception."""

    async def on_exception(self, exception: Exception) -> None:
        """Called with an exception of the stream or of a hook, which is raised afterwards."""

    async def on_timeout(self) -> None:
        """Called after a timeout, before `on_exception`."""

    async def on_run_step_created(self, run_step: RunStep) -> None:
        """Called with a new run step."""

    async def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        """Called with a delta of a run step and the step including it."""

    async def on_run_step_done(self, run_step: RunStep) -> None:
        """Called with a run step at its end."""

    async def on_tool_call_created(self, tool_call: ToolCall) -> None:
        """Called with a new tool call."""

    async def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        """Called with a delta of a tool call and the call including it."""

    async def on_tool_call_done(self, tool_call: ToolCall) -> None:
        """Called with a complete tool call, or one with its output."""

    async def on_message_created(self, message: Message) -> None:
        """Called with a new message."""

    async def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        """Called with a delta of a message and the message including it."""

    async def on_message_done(self, message: Message) -> None:
        """Called with a completed or incomplete message."""

    async def on_text_created(self, text: Text) -> None:
        """Called with a new text part."""

    async def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        """Called with a delta of a text part and the part including it."""

    async def on_text_done(self, text: Text) -> None:
        """Called with a complete text part."""

    async def on_image_file_done(self, image_file: ImageFile) -> None:
        """Called with an image file."""

    # -- Reading

    async def _iterate_events(self) -> AsyncIterator[AssistantStreamEvent]:
        if self._stream is None:
            raise RuntimeError("the stream has not been started; enter the `with` block first")
        try:
            async for event in self._stream:
                self._current_event = event
                await self.on_event(event)
                for hook, arguments in self._snapshots.apply_event(event):
                    await getattr(self, hook)(*arguments)
                self._current_event = None
                yield event
        except TimeoutError as exc:
            await self.on_timeout()
            await self.on_exception(exc)
            raise
        except Exception as exc:
            await self.on_exception(exc)
            raise
        finally:
            await self.on_end()

    async def _iterate_text(self) -> AsyncIterator[str]:
        async for event in self._iterator:
            if isinstance(event, ThreadMessageDelta):
                for block in event.data.delta.content or []:
                    if block.type == "text" and block.text and block.text.value:
                        yield block.text.value


class AsyncStreamHandler(Protocol):
    """An event handler: ours, or one that was written for the openai SDK."""

    def _init(self, stream: Any) -> None: ...


AsyncStreamHandlerT = TypeVar("AsyncStreamHandlerT", bound=AsyncStreamHandler)


class AsyncAssistantStreamManager(Generic[AsyncStreamHandlerT]):
    """A streamed run as a context manager: entering starts it and returns the handler, leaving closes the stream."""

    def __init__(self, start: Callable[[], Awaitable[AsyncStream]], handler: AsyncStreamHandlerT) -> None:
        self._start = start
        self._handler = handler
        self._stream: AsyncStream | None = None

    async def __aenter__(self) -> AsyncStreamHandlerT:
        self._stream = await self._start()
        self._handler._init(self._stream)  # pyright: ignore[reportPrivateUsage]  # the SDK's handlers have this name
        return self._handler

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            await self._stream.close()
