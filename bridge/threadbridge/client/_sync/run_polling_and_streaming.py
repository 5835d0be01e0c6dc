# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads.runs`: the methods that combine several operations."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, overload

from typing_extensions import Unpack

from threadbridge.api_types import RunObject
from threadbridge.client._call_options import (
    NOT_GIVEN,
    CallOptions,
    CallParams,
    ExecuteParams,
    Json,
    NotGivenOr,
    PolledRunParams,
    PollParams,
    RunParams,
    Timeout,
    accepts_params,
    parse_call_options,
)
from threadbridge.client._sync.resource import Resource
from threadbridge.client._sync.streaming import (
    AssistantEventHandler,
    AssistantStreamManager,
    Stream,
    StreamHandlerT,
)
from threadbridge.client._sync.tool_loop import ToolLoop
from threadbridge.tool_loop import ToolFunctions
from threadbridge.types import AssistantStreamEvent, Run

#: Rounds of tool calls after which `execute` cancels a run.
MAX_ROUNDS = 100
#: Tool calls that `execute` runs at the same time.
PARALLEL_CALLS = 8


class RunPollingAndStreaming(Resource):
    """The methods of `threads.runs` that poll, that stream, and that execute a whole tool loop."""

    def poll(
        self,
        run_id: str,
        thread_id: str,
        extra_headers: NotGivenOr[Mapping[str, Any]] = NOT_GIVEN,
        extra_query: NotGivenOr[Mapping[str, object]] = NOT_GIVEN,
        extra_body: NotGivenOr[object] = NOT_GIVEN,
        timeout: NotGivenOr[Timeout] = NOT_GIVEN,
        poll_interval_ms: NotGivenOr[int] = NOT_GIVEN,
    ) -> Run:
        """Poll the run until it requires action or has ended (A62).

        The interval is `poll_interval_ms`, else the service's hint, else one second.
        """
        call = parse_call_options(
            PollParams,
            {},
            extra_headers=extra_headers,
            extra_query=extra_query,
            extra_body=extra_body,
            timeout=timeout,
            poll_interval_ms=poll_interval_ms,
        )
        return Run.model_validate(self._poll_run(thread_id, run_id, call))

    @accepts_params(PolledRunParams)
    def create_and_poll(self, *, assistant_id: str, thread_id: str, **options: Unpack[PolledRunParams]) -> Run:
        """`create`, then `poll`."""
        call = parse_call_options(PolledRunParams, options, assistant_id=assistant_id)
        run = self._create_run(thread_id, call)
        return Run.model_validate(self._poll_run(thread_id, run["id"], call))

    @accepts_params(PollParams)
    def submit_tool_outputs_and_poll(
        self, *, tool_outputs: Iterable[Json], run_id: str, thread_id: str, **options: Unpack[PollParams]
    ) -> Run:
        """`submit_tool_outputs`, then `poll`."""
        call = parse_call_options(PollParams, options, tool_outputs=tool_outputs)
        self._submit_tool_outputs(run_id, thread_id, call)
        return Run.model_validate(self._poll_run(thread_id, run_id, call))

    @overload
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: None = None, **options: Unpack[RunParams]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: StreamHandlerT, **options: Unpack[RunParams]
    ) -> AssistantStreamManager[StreamHandlerT]: ...
    @accepts_params(RunParams)
    def stream(
        self, *, assistant_id: str, thread_id: str, event_handler: Any = None, **options: Unpack[RunParams]
    ) -> AssistantStreamManager[Any]:
        """A streamed run: `with` starts it and gives the handler, whose hooks are called while its events are read."""
        call = parse_call_options(RunParams, options, assistant_id=assistant_id)
        return AssistantStreamManager(
            lambda: self._stream_run(thread_id, call), event_handler or AssistantEventHandler()
        )

    @overload
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: None = None, **options: Unpack[RunParams]
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: StreamHandlerT, **options: Unpack[RunParams]
    ) -> AssistantStreamManager[StreamHandlerT]: ...
    @accepts_params(RunParams)
    def create_and_stream(
        self, *, assistant_id: str, thread_id: str, event_handler: Any = None, **options: Unpack[RunParams]
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
        **options: Unpack[CallParams],
    ) -> AssistantStreamManager[AssistantEventHandler]: ...
    @overload
    def submit_tool_outputs_stream(
        self,
        *,
        tool_outputs: Iterable[Json],
        run_id: str,
        thread_id: str,
        event_handler: StreamHandlerT,
        **options: Unpack[CallParams],
    ) -> AssistantStreamManager[StreamHandlerT]: ...
    @accepts_params(CallParams)
    def submit_tool_outputs_stream(
        self,
        *,
        tool_outputs: Iterable[Json],
        run_id: str,
        thread_id: str,
        event_handler: Any = None,
        **options: Unpack[CallParams],
    ) -> AssistantStreamManager[Any]:
        """`submit_tool_outputs` with the events that follow. The run's first stream may still be open (C4)."""
        call = parse_call_options(CallParams, options, tool_outputs=tool_outputs)
        return AssistantStreamManager(
            lambda: self._stream_tool_outputs(run_id, thread_id, call), event_handler or AssistantEventHandler()
        )

    @accepts_params(ExecuteParams)
    def execute(
        self,
        thread_id: str,
        assistant_id: str,
        *,
        tools: ToolFunctions | None = None,
        on_event: Callable[[AssistantStreamEvent], object] | None = None,
        max_rounds: int = MAX_ROUNDS,
        parallel_calls: int = PARALLEL_CALLS,
        **options: Unpack[ExecuteParams],
    ) -> Run:
        """Create a run, answer its tool calls with your functions round after round, and return the completed run.

        `tools` has the functions by name, synchronous (called on worker threads) or not; up to `parallel_calls` run at
        a time. The assistant's tools say which of them the model may call. Every call gets an output: the function's
        result (text unchanged, anything else as JSON), or `{"error": …}` if the arguments do not fit, the name is
        unknown or the function raised. `on_event` is called with every event. If the backend does not stream, or a
        stream breaks, the run is polled: after 0.2, 0.4 and 0.8 seconds, then every one to ten seconds.

        Raises RunFailed, RunExpired, RunCancelled or RunIncomplete with the run and its `last_error`. A run that
        requires tool outputs more than `max_rounds` times is cancelled; so is a run whose caller is interrupted or
        whose `on_event` raises, since it would lock its thread (A63).
        """
        call = parse_call_options(ExecuteParams, options, assistant_id=assistant_id)
        tool_loop = ToolLoop(
            self._caller,
            thread_id,
            tools or {},
            on_event,
            max_rounds=max_rounds,
            max_parallel=parallel_calls,
            timeout=call.timeout,
        )
        return Run.model_validate(tool_loop.run_to_completion(call))

    def _create_run(self, thread_id: str, call: CallOptions) -> RunObject:
        run: RunObject = self._caller.call(
            lambda backend, context: backend.create_run(context, thread_id, call.body, include=call.include),
            call.timeout,
        )
        return run

    def _stream_run(self, thread_id: str, call: CallOptions) -> Stream:
        return self._open_stream(
            lambda backend, context: backend.stream_run(context, thread_id, call.body, include=call.include), call
        )

    def _submit_tool_outputs(self, run_id: str, thread_id: str, call: CallOptions) -> RunObject:
        run: RunObject = self._caller.call(
            lambda backend, context: backend.submit_tool_outputs(context, thread_id, run_id, call.body), call.timeout
        )
        return run

    def _stream_tool_outputs(self, run_id: str, thread_id: str, call: CallOptions) -> Stream:
        return self._open_stream(
            lambda backend, context: backend.stream_tool_outputs(context, thread_id, run_id, call.body), call
        )
