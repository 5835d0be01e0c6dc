# Generated from ../_async by .ci/unasync.py: edit there.
"""`threads.runs`: the operations. What is built from several of them is in `run_shortcuts`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, overload

from typing_extensions import Unpack

from threadbridge.client._backend_caller import Line
from threadbridge.client._call_options import NOT_GIVEN, Given, asked, is_given
from threadbridge.client._paging import CursorPage, listing
from threadbridge.client._params import CallKeywords, Json, ListKeywords, MetadataKeywords, RunKeywords, takes
from threadbridge.client._sync.run_polling_and_streaming import RunShortcuts
from threadbridge.client._sync.steps import Steps
from threadbridge.client._sync.stream import Stream
from threadbridge.types import Run, RunReport


class Runs(RunShortcuts):
    """An assistant's work on a thread."""

    def __init__(self, line: Line) -> None:
        super().__init__(line)
        self.steps = Steps(line)

    @overload
    def create(
        self,
        thread_id: str,
        *,
        assistant_id: str,
        stream: Given[Literal[False]] = NOT_GIVEN,
        **options: Unpack[RunKeywords],
    ) -> Run: ...
    @overload
    def create(
        self, thread_id: str, *, assistant_id: str, stream: Literal[True], **options: Unpack[RunKeywords]
    ) -> Stream: ...
    @overload
    def create(
        self, thread_id: str, *, assistant_id: str, stream: bool, **options: Unpack[RunKeywords]
    ) -> Run | Stream: ...
    @takes(RunKeywords)
    def create(
        self,
        thread_id: str,
        *,
        assistant_id: str,
        stream: Given[bool] = NOT_GIVEN,
        **options: Unpack[RunKeywords],
    ) -> Run | Stream:
        """A new run; with `stream`, its events. Refused while another is active (A52)."""
        call = asked(RunKeywords, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return self._stream_run(thread_id, call)
        return Run.model_validate(self._create_run(thread_id, call))

    @takes(CallKeywords)
    def retrieve(self, run_id: str, *, thread_id: str, **options: Unpack[CallKeywords]) -> Run:
        """The run of this id, as it is now."""
        call = asked(CallKeywords, options)
        polled = self._line.ask(lambda backend: backend.retrieve_run(thread_id, run_id), call.timeout)
        return Run.model_validate(polled.run)

    @takes(MetadataKeywords)
    def update(self, run_id: str, *, thread_id: str, **options: Unpack[MetadataKeywords]) -> Run:
        """The run with other metadata. Refused while it is active (A57)."""
        call = asked(MetadataKeywords, options)
        return Run.model_validate(
            self._line.ask(lambda backend: backend.update_run(thread_id, run_id, call.body), call.timeout)
        )

    @takes(CallKeywords)
    def follow(
        self, run_id: str, *, thread_id: str, after: str | None = None, **options: Unpack[CallKeywords]
    ) -> Stream:
        """The events of a run that exists, over all its rounds, until it ends; it waits while the run waits for you.

        `after` is a stream's `last_event_id`: the events go on behind it, for ten minutes after the run's end. Without
        it they begin with the first that is known. Raises Unsupported where the backend cannot.
        """
        call = asked(CallKeywords, options)
        events = self._line.open(lambda backend: backend.follow_run(thread_id, run_id, after=after), call.timeout)
        return Stream(events)

    @takes(CallKeywords)
    def report(self, run_id: str, *, thread_id: str, **options: Unpack[CallKeywords]) -> RunReport:
        """What the run sent, dropped and cost so far, turn by turn. Raises Unsupported where the backend cannot say."""
        call = asked(CallKeywords, options)
        return RunReport.model_validate(
            self._line.ask(lambda backend: backend.report_run(thread_id, run_id), call.timeout)
        )

    @takes(ListKeywords)
    def list(self, thread_id: str, **options: Unpack[ListKeywords]) -> CursorPage[Run]:
        """Runs of the thread, newest first unless asked otherwise."""
        call = asked(ListKeywords, options)
        return listing(
            self._line,
            Run,
            lambda query: lambda backend: backend.list_runs(thread_id, query),
            call.query,
            call.timeout,
        )

    @takes(CallKeywords)
    def cancel(self, run_id: str, *, thread_id: str, **options: Unpack[CallKeywords]) -> Run:
        """Ask the run to stop; it passes through `cancelling` and may still complete (A61)."""
        call = asked(CallKeywords, options)
        return Run.model_validate(self._line.ask(lambda backend: backend.cancel_run(thread_id, run_id), call.timeout))

    @overload
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: Given[Literal[False]] = NOT_GIVEN,
        **options: Unpack[CallKeywords],
    ) -> Run: ...
    @overload
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: Literal[True],
        **options: Unpack[CallKeywords],
    ) -> Stream: ...
    @overload
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: bool,
        **options: Unpack[CallKeywords],
    ) -> Run | Stream: ...
    @takes(CallKeywords)
    def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: Given[bool] = NOT_GIVEN,
        **options: Unpack[CallKeywords],
    ) -> Run | Stream:
        """Answer every call of the round, in one go (A65); with `stream`, the events that follow."""
        call = asked(CallKeywords, options, tool_outputs=tool_outputs)
        if is_given(stream) and stream:
            return self._stream_outputs(run_id, thread_id, call)
        return Run.model_validate(self._submit_outputs(run_id, thread_id, call))
