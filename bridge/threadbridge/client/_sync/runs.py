# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads.runs`: the operations. What is built from several of them is in `run_shortcuts`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, overload

from typing_extensions import Unpack

from threadbridge.client._backend_caller import BackendCaller
from threadbridge.client._call_options import NOT_GIVEN, NotGivenOr, is_given, parse_call_options
from threadbridge.client._paging import CursorPage, paginate
from threadbridge.client._params import CallParams, Json, ListParams, MetadataParams, RunParams, accepts_params
from threadbridge.client._sync.run_polling_and_streaming import RunPollingAndStreaming
from threadbridge.client._sync.steps import Steps
from threadbridge.client._sync.stream import Stream
from threadbridge.types import Run, RunReport


class Runs(RunPollingAndStreaming):
    """An assistant's work on a thread."""

    def __init__(self, caller: BackendCaller) -> None:
        super().__init__(caller)
        self.steps = Steps(caller)

    @overload
    def create(
        self,
        thread_id: str,
        *,
        assistant_id: str,
        stream: NotGivenOr[Literal[False]] = NOT_GIVEN,
        **options: Unpack[RunParams],
    ) -> Run: ...
    @overload
    def create(
        self, thread_id: str, *, assistant_id: str, stream: Literal[True], **options: Unpack[RunParams]
    ) -> Stream: ...
    @overload
    def create(
        self, thread_id: str, *, assistant_id: str, stream: bool, **options: Unpack[RunParams]
    ) -> Run | Stream: ...
    @accepts_params(RunParams)
    def create(
        self,
        thread_id: str,
        *,
        assistant_id: str,
        stream: NotGivenOr[bool] = NOT_GIVEN,
        **options: Unpack[RunParams],
    ) -> Run | Stream:
        """A new run; with `stream`, its events. Refused while another is active (A52)."""
        call = parse_call_options(RunParams, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return self._stream_run(thread_id, call)
        return Run.model_validate(self._create_run(thread_id, call))

    @accepts_params(CallParams)
    def retrieve(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Run:
        """The run of this id, as it is now."""
        call = parse_call_options(CallParams, options)
        polled = self._caller.call(
            lambda backend, context: backend.retrieve_run(context, thread_id, run_id), call.timeout
        )
        return Run.model_validate(polled.run)

    @accepts_params(MetadataParams)
    def update(self, run_id: str, *, thread_id: str, **options: Unpack[MetadataParams]) -> Run:
        """The run with other metadata. Refused while it is active (A57)."""
        call = parse_call_options(MetadataParams, options)
        return Run.model_validate(
            self._caller.call(
                lambda backend, context: backend.update_run(context, thread_id, run_id, call.body), call.timeout
            )
        )

    @accepts_params(CallParams)
    def follow(self, run_id: str, *, thread_id: str, after: str | None = None, **options: Unpack[CallParams]) -> Stream:
        """The events of a run that exists, over all its rounds, until it ends; it waits while the run waits for you.

        `after` is a stream's `last_event_id`: the events go on behind it, for ten minutes after the run's end. Without
        it they begin with the first that is known. Raises Unsupported where the backend cannot.
        """
        call = parse_call_options(CallParams, options)
        events = self._caller.open_stream(
            lambda backend, context: backend.follow_run(context, thread_id, run_id, after=after), call.timeout
        )
        return Stream(events)

    @accepts_params(CallParams)
    def report(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> RunReport:
        """What the run sent, dropped and cost so far, turn by turn. Raises Unsupported where the backend cannot say."""
        call = parse_call_options(CallParams, options)
        return RunReport.model_validate(
            self._caller.call(lambda backend, context: backend.report_run(context, thread_id, run_id), call.timeout)
        )

    @accepts_params(ListParams)
    def list(self, thread_id: str, **options: Unpack[ListParams]) -> CursorPage[Run]:
        """Runs of the thread, newest first unless asked otherwise."""
        call = parse_call_options(ListParams, options)
        return paginate(
            self._caller,
            Run,
            lambda query: lambda backend, context: backend.list_runs(context, thread_id, query),
            call.query,
            call.timeout,
        )

    @accepts_params(CallParams)
    def cancel(self, run_id: str, *, thread_id: str, **options: Unpack[CallParams]) -> Run:
        """Ask the run to stop; it passes through `cancelling` and may still complete (A61)."""
        call = parse_call_options(CallParams, options)
        return Run.model_validate(
            self._caller.call(lambda backend, context: backend.cancel_run(context, thread_id, run_id), call.timeout)
        )

    @overload
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: NotGivenOr[Literal[False]] = NOT_GIVEN,
        **options: Unpack[CallParams],
    ) -> Run: ...
    @overload
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: Literal[True],
        **options: Unpack[CallParams],
    ) -> Stream: ...
    @overload
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: bool,
        **options: Unpack[CallParams],
    ) -> Run | Stream: ...
    @accepts_params(CallParams)
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: NotGivenOr[bool] = NOT_GIVEN,
        **options: Unpack[CallParams],
    ) -> Run | Stream:
        """Answer every call of the round, in one go (A65); with `stream`, the events that follow."""
        call = parse_call_options(CallParams, options, tool_outputs=tool_outputs)
        if is_given(stream) and stream:
            return self._stream_tool_outputs(run_id, thread_id, call)
        return Run.model_validate(self._submit_tool_outputs(run_id, thread_id, call))
