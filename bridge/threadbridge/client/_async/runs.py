"""`threads.runs` and `threads.runs.steps`: one method per operation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, overload

from typing_extensions import Unpack

from threadbridge.client._async.resource import AsyncResource
from threadbridge.client._async.run_polling_and_streaming import AsyncRunPollingAndStreaming
from threadbridge.client._async.streaming import AsyncStream
from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.client._call_options import (
    NOT_GIVEN,
    CallParams,
    Json,
    ListParams,
    MetadataParams,
    NotGivenOr,
    RunParams,
    StepListParams,
    StepParams,
    accepts_params,
    is_given,
    parse_call_options,
)
from threadbridge.client._paging import AsyncPaginator
from threadbridge.types import Run, RunReport, RunStep


class AsyncSteps(AsyncResource):
    """The steps of a run."""

    @accepts_params(StepParams)
    async def retrieve(self, step_id: str, *, thread_id: str, run_id: str, **options: Unpack[StepParams]) -> RunStep:
        """The step with this id. Raises NotFound."""
        call = parse_call_options(StepParams, options)
        return await self._call(
            RunStep,
            lambda backend, context: backend.retrieve_step(context, thread_id, run_id, step_id, include=call.include),
            call,
        )

    @accepts_params(StepListParams)
    def list(self, run_id: str, *, thread_id: str, **options: Unpack[StepListParams]) -> AsyncPaginator[RunStep]:
        """The steps of the run, newest first by default."""
        call = parse_call_options(StepListParams, options)
        return self._paginate(
            RunStep,
            lambda query: (
                lambda backend, context: backend.list_steps(context, thread_id, run_id, query, include=call.include)
            ),
            call,
        )


class AsyncRuns(AsyncRunPollingAndStreaming):
    """The runs of a thread."""

    def __init__(self, caller: AsyncBackendCaller) -> None:
        super().__init__(caller)
        self.steps = AsyncSteps(caller)

    @overload
    async def create(
        self,
        thread_id: str,
        *,
        assistant_id: str,
        stream: NotGivenOr[Literal[False]] = NOT_GIVEN,
        **options: Unpack[RunParams],
    ) -> Run: ...
    @overload
    async def create(
        self, thread_id: str, *, assistant_id: str, stream: Literal[True], **options: Unpack[RunParams]
    ) -> AsyncStream: ...
    @overload
    async def create(
        self, thread_id: str, *, assistant_id: str, stream: bool, **options: Unpack[RunParams]
    ) -> Run | AsyncStream: ...
    @accepts_params(RunParams)
    async def create(
        self,
        thread_id: str,
        *,
        assistant_id: str,
        stream: NotGivenOr[bool] = NOT_GIVEN,
        **options: Unpack[RunParams],
    ) -> Run | AsyncStream:
        """Create a run; with `stream`, its events. Raises InvalidRequest while another run is active (A52)."""
        call = parse_call_options(RunParams, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return await self._stream_run(thread_id, call)
        return Run.model_validate(await self._create_run(thread_id, call))

    @accepts_params(CallParams)
    async def retrieve(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Run:
        """The run with this id. Raises NotFound."""
        call = parse_call_options(CallParams, options)
        polled = await self._caller.call(
            lambda backend, context: backend.retrieve_run(context, thread_id, run_id), call.timeout
        )
        return Run.model_validate(polled.run)

    @accepts_params(MetadataParams)
    async def update(self, run_id: str, *, thread_id: str, **options: Unpack[MetadataParams]) -> Run:
        """Change the metadata of the run. Raises InvalidRequest while the run is active (A57)."""
        call = parse_call_options(MetadataParams, options)
        return await self._call(
            Run, lambda backend, context: backend.update_run(context, thread_id, run_id, call.body), call
        )

    @accepts_params(CallParams)
    async def follow(
        self, run_id: str, *, thread_id: str, after: str | None = None, **options: Unpack[CallParams]
    ) -> AsyncStream:
        """The events of an existing run, over all its rounds to its end, also while it waits for tool outputs.

        `after` is a stream's `last_event_id`: the events after it, up to ten minutes after the run's end. Without it,
        the events from the first one that is stored. Raises UnknownEvent for another id, and Unsupported if the backend
        cannot follow runs.
        """
        call = parse_call_options(CallParams, options)
        return await self._open_stream(
            lambda backend, context: backend.follow_run(context, thread_id, run_id, after=after), call
        )

    @accepts_params(CallParams)
    async def report(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> RunReport:
        """What the run sent, dropped and cost so far, turn by turn. Raises Unsupported if the backend cannot report."""
        call = parse_call_options(CallParams, options)
        return await self._call(
            RunReport, lambda backend, context: backend.report_run(context, thread_id, run_id), call
        )

    @accepts_params(ListParams)
    def list(self, thread_id: str, **options: Unpack[ListParams]) -> AsyncPaginator[Run]:
        """The runs of the thread, newest first by default."""
        call = parse_call_options(ListParams, options)
        return self._paginate(
            Run, lambda query: lambda backend, context: backend.list_runs(context, thread_id, query), call
        )

    @accepts_params(CallParams)
    async def cancel(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Run:
        """Request cancellation: the run becomes `cancelling` and may still complete (A61)."""
        call = parse_call_options(CallParams, options)
        return await self._call(Run, lambda backend, context: backend.cancel_run(context, thread_id, run_id), call)

    @overload
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: NotGivenOr[Literal[False]] = NOT_GIVEN,
        **options: Unpack[CallParams],
    ) -> Run: ...
    @overload
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: Literal[True],
        **options: Unpack[CallParams],
    ) -> AsyncStream: ...
    @overload
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: bool,
        **options: Unpack[CallParams],
    ) -> Run | AsyncStream: ...
    @accepts_params(CallParams)
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: NotGivenOr[bool] = NOT_GIVEN,
        **options: Unpack[CallParams],
    ) -> Run | AsyncStream:
        """Submit the outputs of all pending tool calls at once (A65); with `stream`, the events that follow."""
        call = parse_call_options(CallParams, options, tool_outputs=tool_outputs)
        if is_given(stream) and stream:
            return await self._stream_tool_outputs(run_id, thread_id, call)
        return Run.model_validate(await self._submit_tool_outputs(run_id, thread_id, call))
