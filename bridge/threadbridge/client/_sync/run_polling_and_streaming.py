# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads.runs`: what is built from several operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

from typing_extensions import Unpack

from threadbridge.client._backend_caller import Line
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
from threadbridge.client._sync.event_handler import (
    AssistantEventHandler,
    AssistantStreamManager,
    HandlerT,
)
from threadbridge.client._sync.polling import rested
from threadbridge.client._sync.stream import Stream
from threadbridge.client._sync.tool_loop import Execution
from threadbridge.ports import Wire
from threadbridge.tool_loop.function_calls import Tools
from threadbridge.types import AssistantStreamEvent, Run

#: Rounds of tool calls that `execute` answers before it gives a run up.
MAX_ROUNDS = 100
#: Tool calls that `execute` makes at the same time.
PARALLEL_CALLS = 8


class RunShortcuts(WithoutRawResponses):
    """Starting, waiting, streaming, and the whole loop of an agent."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def poll(
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
        return Run.model_validate(rested(self._line, thread_id, run_id, call))

    @takes(PolledRunKeywords)
    def create_and_poll(self, *, assistant_id: str, thread_id: str, **options: Unpack[PolledRunKeywords]) -> Run:
        """`create`, then `poll`."""
        call = asked(PolledRunKeywords, options, assistant_id=assistant_id)
        run = self._create_run(thread_id, call)
        return Run.model_validate(rested(self._line, thread_id, run["id"], call))

    @takes(PollKeywords)
    def submit_tool_outputs_and_poll(
        self, *, tool_outputs: Iterable[Json], run_id: str, thread_id: str, **options: Unpack[PollKeywords]
    ) -> Run:
        """`submit_tool_outputs`, then `poll`."""
        call = asked(PollKeywords, options, tool_outputs=tool_outputs)
        self._submit_outputs(run_id, thread_id, call)
        return Run.model_validate(rested(self._line, thread_id, run_id, call))

    @overload
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: None = None, **options: Unpack[RunKeywords]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: HandlerT, **options: Unpack[RunKeywords]
    ) -> AssistantStreamManager[HandlerT]: ...
    @takes(RunKeywords)
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: Any = None, **options: Unpack[RunKeywords]
    ) -> AssistantStreamManager[Any]:
        """A run to follow: `with` it to start, iterate over its events or let a handler's hooks be called."""
        call = asked(RunKeywords, options, assistant_id=assistant_id)
        return AssistantStreamManager(
            lambda: self._stream_run(thread_id, call), event_handler or AssistantEventHandler()
        )

    @overload
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: None = None, **options: Unpack[RunKeywords]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: HandlerT, **options: Unpack[RunKeywords]
    ) -> AssistantStreamManager[HandlerT]: ...
    @takes(RunKeywords)
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: Any = None, **options: Unpack[RunKeywords]
    ) -> AssistantStreamManager[Any]:
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
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def submit_tool_outputs_stream(
        self,
        *,
        tool_outputs: Iterable[Json],
        run_id: str,
        thread_id: str,
        event_handler: HandlerT,
        **options: Unpack[CallKeywords],
    ) -> AssistantStreamManager[HandlerT]: ...
    @takes(CallKeywords)
    def submit_tool_outputs_stream(
        self,
        *,
        tool_outputs: Iterable[Json],
        run_id: str,
        thread_id: str,
        event_handler: Any = None,
        **options: Unpack[CallKeywords],
    ) -> AssistantStreamManager[Any]:
        """The rest of a run to follow, once its calls are answered. May be used while the first stream is open (C4)."""
        call = asked(CallKeywords, options, tool_outputs=tool_outputs)
        return AssistantStreamManager(
            lambda: self._stream_outputs(run_id, thread_id, call), event_handler or AssistantEventHandler()
        )

    @takes(ExecuteKeywords)
    def execute(
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
        execution = Execution(
            self._line, thread_id, tools, on_event, rounds=max_rounds, at_once=parallel_calls, timeout=call.timeout
        )
        return Run.model_validate(execution.completed(call))

    def _create_run(self, thread_id: str, call: Asked) -> Wire:
        return self._line.ask(
            lambda backend: backend.create_run(thread_id, call.body, include=call.include), call.timeout
        )

    def _stream_run(self, thread_id: str, call: Asked) -> Stream:
        return Stream(
            self._line.open(
                lambda backend: backend.stream_run(thread_id, call.body, include=call.include), call.timeout
            )
        )

    def _submit_outputs(self, run_id: str, thread_id: str, call: Asked) -> Wire:
        return self._line.ask(lambda backend: backend.submit_tool_outputs(thread_id, run_id, call.body), call.timeout)

    def _stream_outputs(self, run_id: str, thread_id: str, call: Asked) -> Stream:
        return Stream(
            self._line.open(lambda backend: backend.stream_tool_outputs(thread_id, run_id, call.body), call.timeout)
        )
