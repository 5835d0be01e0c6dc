"""`threads.runs`: the operations. What is built from several of them is in `run_shortcuts`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, overload

from typing_extensions import Unpack

from threadbridge.client._async.run_polling_and_streaming import AsyncRunPollingAndStreaming
from threadbridge.client._async.steps import AsyncSteps
from threadbridge.client._async.stream import AsyncStream
from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.client._call_options import NOT_GIVEN, NotGivenOr, is_given, parse_call_options
from threadbridge.client._paging import AsyncPaginator, paginate_async
from threadbridge.client._params import CallParams, Json, ListParams, MetadataParams, RunParams, accepts_params
from threadbridge.types import Run, RunReport


class AsyncRuns(AsyncRunPollingAndStreaming):
    """An assistant's work on a thread."""

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
        """A new run; with `stream`, its events. Refused while another is active (A52)."""
        call = parse_call_options(RunParams, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return await self._stream_run(thread_id, call)
        return Run.model_validate(await self._create_run(thread_id, call))

    @accepts_params(CallParams)
    async def retrieve(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Run:
        """The run of this id, as it is now."""
        call = parse_call_options(CallParams, options)
        polled = await self._caller.call(
            lambda backend, context: backend.retrieve_run(context, thread_id, run_id), call.timeout
        )
        return Run.model_validate(polled.run)

    @accepts_params(MetadataParams)
    async def update(self, run_id: str, *, thread_id: str, **options: Unpack[MetadataParams]) -> Run:
        """The run with other metadata. Refused while it is active (A57)."""
        call = parse_call_options(MetadataParams, options)
        return Run.model_validate(
            await self._caller.call(
                lambda backend, context: backend.update_run(context, thread_id, run_id, call.body), call.timeout
            )
        )

    @accepts_params(CallParams)
    async def follow(
        self, run_id: str, *, thread_id: str, after: str | None = None, **options: Unpack[CallParams]
    ) -> AsyncStream:
        """The events of a run that exists, over all its rounds, until it ends; it waits while the run waits for you.

        `after` is a stream's `last_event_id`: the events go on behind it, for ten minutes after the run's end. Without
        it they begin with the first that is known. Raises Unsupported where the backend cannot.
        """
        call = parse_call_options(CallParams, options)
        events = await self._caller.open_stream(
            lambda backend, context: backend.follow_run(context, thread_id, run_id, after=after), call.timeout
        )
        return AsyncStream(events)

    @accepts_params(CallParams)
    async def report(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> RunReport:
        """What the run sent, dropped and cost so far, turn by turn. Raises Unsupported where the backend cannot say."""
        call = parse_call_options(CallParams, options)
        return RunReport.model_validate(
            await self._caller.call(
                lambda backend, context: backend.report_run(context, thread_id, run_id), call.timeout
            )
        )

    @accepts_params(ListParams)
    def list(self, thread_id: str, **options: Unpack[ListParams]) -> AsyncPaginator[Run]:
        """Runs of the thread, newest first unless asked otherwise."""
        call = parse_call_options(ListParams, options)
        return paginate_async(
            self._caller,
            Run,
            lambda query: lambda backend, context: backend.list_runs(context, thread_id, query),
            call.query,
            call.timeout,
        )

    @accepts_params(CallParams)
    async def cancel(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Run:
        """Ask the run to stop; it passes through `cancelling` and may still complete (A61)."""
        call = parse_call_options(CallParams, options)
        return Run.model_validate(
            await self._caller.call(
                lambda backend, context: backend.cancel_run(context, thread_id, run_id), call.timeout
            )
        )

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
        """Answer every call of the round, in one go (A65); with `stream`, the events that follow."""
        call = parse_call_options(CallParams, options, tool_outputs=tool_outputs)
        if is_given(stream) and stream:
            return await self._stream_tool_outputs(run_id, thread_id, call)
        return Run.model_validate(await self._submit_tool_outputs(run_id, thread_id, call))
