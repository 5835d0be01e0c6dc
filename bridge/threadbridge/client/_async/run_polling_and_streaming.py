"""`threads.runs`: what is built from several operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

from typing_extensions import Unpack

from threadbridge.client._async.event_handler import (
    AsyncAssistantEventHandler,
    AsyncAssistantStreamManager,
    AsyncHandlerT,
)
from threadbridge.client._async.polling import rested
from threadbridge.client._async.stream import AsyncStream
from threadbridge.client._async.tool_loop import AsyncExecution
from threadbridge.client._backend_caller import AsyncLine
from threadbridge.client._call_options import NOT_GIVEN, Asked, Given, Timeout, asked
from threadbridge.client._params import (
    CallKeywords,
    ExecuteKeywords,
    Json,
    PolledRunKeywords,
    PollKeywords,
    RunKeywords,
    takes,
)
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.ports import Wire
from threadbridge.tool_loop.function_calls import Tools
from threadbridge.types import AssistantStreamEvent, Run

#: Rounds of tool calls that `execute` answers before it gives a run up.
MAX_ROUNDS = 100
#: Tool calls that `execute` makes at the same time.
PARALLEL_CALLS = 8


class AsyncRunShortcuts(WithoutRawResponses):
    """Starting, waiting, streaming, and the whole loop of an agent."""

    def __init__(self, line: AsyncLine) -> None:
        self._line = line

    async def poll(
        self,
        run_id: str,
        thread_id: str,
        extra_headers: Given[Mapping[str, Any]] = NOT_GIVEN,
        extra_query: Given[Mapping[str, object]] = NOT_GIVEN,
        extra_body: Given[object] = NOT_GIVEN,
        timeout: Given[Timeout] = NOT_GIVEN,
        poll_interval_ms: Given[int] = NOT_GIVEN,
    ) -> Run:
        """The run, once it waits for tool outputs or has ended (A62).

        Looks again after `poll_interval_ms`, else after what the service advises, else after a second.
        """
        call = asked(
            PollKeywords,
            {},
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
            timeout=timeout,
            poll_interval_ms=poll_interval_ms,
        )
        return Run.model_validate(await rested(self._line, thread_id, run_id, call))

    @takes(PolledRunKeywords)
    async def create_and_poll(self, *, assistant_id: str, thread_id: str, **options: Unpack[PolledRunKeywords]) -> Run:
        """`create`, then `poll`."""
        call = asked(PolledRunKeywords, options, assistant_id=assistant_id)
        run = await self._create_run(thread_id, call)
        return Run.model_validate(await rested(self._line, thread_id, run["id"], call))

    @takes(PollKeywords)
    async def submit_tool_outputs_and_poll(
        self, *, tool_outputs: Iterable[Json], run_id: str, thread_id: str, **options: Unpack[PollKeywords]
    ) -> Run:
        """`submit_tool_outputs`, then `poll`."""
        call = asked(PollKeywords, options, tool_outputs=tool_outputs)
        await self._submit_outputs(run_id, thread_id, call)
        return Run.model_validate(await rested(self._line, thread_id, run_id, call))

    @overload
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: None = None, **options: Unpack[RunKeywords]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: AsyncHandlerT, **options: Unpack[RunKeywords]
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...
    @takes(RunKeywords)
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: Any = None, **options: Unpack[RunKeywords]
    ) -> AsyncAssistantStreamManager[Any]:
        """A run to follow: `with` it to start, iterate over its events or let a handler's hooks be called."""
        call = asked(RunKeywords, options, assistant_id=assistant_id)
        return AsyncAssistantStreamManager(
            lambda: self._stream_run(thread_id, call), event_handler or AsyncAssistantEventHandler()
        )

    @overload
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: None = None, **options: Unpack[RunKeywords]
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: AsyncHandlerT, **options: Unpack[RunKeywords]
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...
    @takes(RunKeywords)
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: Any = None, **options: Unpack[RunKeywords]
    ) -> AsyncAssistantStreamManager[Any]:
        """An older name of `stream`."""
        return self.stream(assistant_id=assistant_id, thread_id=thread_id, event_handler=event_handler, **options)

    @overload
    def submit_tool_outputs_stream(
        self,
        *,
        tool_outputs: Iterable[Json],
        run_id: str,
        thread_id: str,
        event_handler: None = None,
        **options: Unpack[CallKeywords],
    ) -> AsyncAssistantStreamManager[AsyncAssistantEventHandler]: ...
    @overload
    def submit_tool_outputs_stream(
        self,
        *,
        tool_outputs: Iterable[Json],
        run_id: str,
        thread_id: str,
        event_handler: AsyncHandlerT,
        **options: Unpack[CallKeywords],
    ) -> AsyncAssistantStreamManager[AsyncHandlerT]: ...
    @takes(CallKeywords)
    def submit_tool_outputs_stream(
        self,
        *,
        tool_outputs: Iterable[Json],
        run_id: str,
        thread_id: str,
        event_handler: Any = None,
        **options: Unpack[CallKeywords],
    ) -> AsyncAssistantStreamManager[Any]:
        """The rest of a run to follow, once its calls are answered. May be used while the first stream is open (C4)."""
        call = asked(CallKeywords, options, tool_outputs=tool_outputs)
        return AsyncAssistantStreamManager(
            lambda: self._stream_outputs(run_id, thread_id, call), event_handler or AsyncAssistantEventHandler()
        )

    @takes(ExecuteKeywords)
    async def execute(
        self,
        thread_id: str,
        assistant_id: str,
        *,
        tools: Tools,
        on_event: Callable[[AssistantStreamEvent], object] | None = None,
        max_rounds: int = MAX_ROUNDS,
        parallel_calls: int = PARALLEL_CALLS,
        **options: Unpack[ExecuteKeywords],
    ) -> Run:
        """A completed run: started, followed, its calls answered by your functions, round after round.

        `tools` are the functions by name, synchronous (called on worker threads) or not, up to `parallel_calls` at a
        time; which of them the model may call is the assistant's affair. Every call gets an output: what a function
        returns (text as it is, anything else as JSON), or `{"error": …}` where the arguments do not fit, the name is
        unknown or the function raised. `on_event` is given every event; where the backend does not stream, or
        a stream breaks, the run is polled: three quick looks, then at most one a second, and fewer over time.

        Raises RunFailed, RunExpired, RunCancelled or RunIncomplete, naming the run and its `last_error`. A run that
        asks for outputs more than `max_rounds` times is cancelled; so is one whose caller is interrupted or whose
        `on_event` raises, since it would lock its thread (A63).
        """
        call = asked(ExecuteKeywords, options, assistant_id=assistant_id)
        execution = AsyncExecution(
            self._line, thread_id, tools, on_event, rounds=max_rounds, at_once=parallel_calls, timeout=call.timeout
        )
        return Run.model_validate(await execution.completed(call))

    async def _create_run(self, thread_id: str, call: Asked) -> Wire:
        return await self._line.ask(
            lambda backend: backend.create_run(thread_id, call.body, include=call.include), call.timeout
        )

    async def _stream_run(self, thread_id: str, call: Asked) -> AsyncStream:
        return AsyncStream(
            await self._line.open(
                lambda backend: backend.stream_run(thread_id, call.body, include=call.include), call.timeout
            )
        )

    async def _submit_outputs(self, run_id: str, thread_id: str, call: Asked) -> Wire:
        return await self._line.ask(
            lambda backend: backend.submit_tool_outputs(thread_id, run_id, call.body), call.timeout
        )

    async def _stream_outputs(self, run_id: str, thread_id: str, call: Asked) -> AsyncStream:
        return AsyncStream(
            await self._line.open(
                lambda backend: backend.stream_tool_outputs(thread_id, run_id, call.body), call.timeout
            )
        )
