"""`threads.runs`: the operations. What is built from several of them is in `run_shortcuts`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, overload

from typing_extensions import Unpack

from threadbridge.client._async.run_polling_and_streaming import AsyncRunShortcuts
from threadbridge.client._async.steps import AsyncSteps
from threadbridge.client._async.stream import AsyncStream
from threadbridge.client._backend_caller import AsyncLine
from threadbridge.client._call_options import NOT_GIVEN, Given, asked, is_given
from threadbridge.client._paging import AsyncPaginator, async_listing
from threadbridge.client._params import CallKeywords, Json, ListKeywords, MetadataKeywords, RunKeywords, takes
from threadbridge.types import Run, RunReport


class AsyncRuns(AsyncRunShortcuts):
    """An assistant's work on a thread."""

    def __init__(self, line: AsyncLine) -> None:
        super().__init__(line)
        self.steps = AsyncSteps(line)

    @overload
    async def create(
        self,
        thread_id: str,
        *,
        assistant_id: str,
        stream: Given[Literal[False]] = NOT_GIVEN,
        **options: Unpack[RunKeywords],
    ) -> Run: ...
    @overload
    async def create(
        self, thread_id: str, *, assistant_id: str, stream: Literal[True], **options: Unpack[RunKeywords]
    ) -> AsyncStream: ...
    @overload
    async def create(
        self, thread_id: str, *, assistant_id: str, stream: bool, **options: Unpack[RunKeywords]
    ) -> Run | AsyncStream: ...
    @takes(RunKeywords)
    async def create(
        self,
        thread_id: str,
        *,
        assistant_id: str,
        stream: Given[bool] = NOT_GIVEN,
        **options: Unpack[RunKeywords],
    ) -> Run | AsyncStream:
        """A new run; with `stream`, its events. Refused while another is active (A52)."""
        call = asked(RunKeywords, options, assistant_id=assistant_id)
        if is_given(stream) and stream:
            return await self._stream_run(thread_id, call)
        return Run.model_validate(await self._create_run(thread_id, call))

    @takes(CallKeywords)
    async def retrieve(self, run_id: str, *, thread_id: str, **options: Unpack[CallKeywords]) -> Run:
        """The run of this id, as it is now."""
        call = asked(CallKeywords, options)
        polled = await self._line.ask(lambda backend: backend.retrieve_run(thread_id, run_id), call.timeout)
        return Run.model_validate(polled.run)

    @takes(MetadataKeywords)
    async def update(self, run_id: str, *, thread_id: str, **options: Unpack[MetadataKeywords]) -> Run:
        """The run with other metadata. Refused while it is active (A57)."""
        call = asked(MetadataKeywords, options)
        return Run.model_validate(
            await self._line.ask(lambda backend: backend.update_run(thread_id, run_id, call.body), call.timeout)
        )

    @takes(CallKeywords)
    async def follow(
        self, run_id: str, *, thread_id: str, after: str | None = None, **options: Unpack[CallKeywords]
    ) -> AsyncStream:
        """The events of a run that exists, over all its rounds, until it ends; it waits while the run waits for you.

        `after` is a stream's `last_event_id`: the events go on behind it, for ten minutes after the run's end. Without
        it they begin with the first that is known. Raises Unsupported where the backend cannot.
        """
        call = asked(CallKeywords, options)
        events = await self._line.open(lambda backend: backend.follow_run(thread_id, run_id, after=after), call.timeout)
        return AsyncStream(events)

    @takes(CallKeywords)
    async def report(self, run_id: str, *, thread_id: str, **options: Unpack[CallKeywords]) -> RunReport:
        """What the run sent, dropped and cost so far, turn by turn. Raises Unsupported where the backend cannot say."""
        call = asked(CallKeywords, options)
        return RunReport.model_validate(
            await self._line.ask(lambda backend: backend.report_run(thread_id, run_id), call.timeout)
        )

    @takes(ListKeywords)
    def list(self, thread_id: str, **options: Unpack[ListKeywords]) -> AsyncPaginator[Run]:
        """Runs of the thread, newest first unless asked otherwise."""
        call = asked(ListKeywords, options)
        return async_listing(
            self._line,
            Run,
            lambda query: lambda backend: backend.list_runs(thread_id, query),
            call.query,
            call.timeout,
        )

    @takes(CallKeywords)
    async def cancel(self, run_id: str, *, thread_id: str, **options: Unpack[CallKeywords]) -> Run:
        """Ask the run to stop; it passes through `cancelling` and may still complete (A61)."""
        call = asked(CallKeywords, options)
        return Run.model_validate(
            await self._line.ask(lambda backend: backend.cancel_run(thread_id, run_id), call.timeout)
        )

    @overload
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: Given[Literal[False]] = NOT_GIVEN,
        **options: Unpack[CallKeywords],
    ) -> Run: ...
    @overload
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: Literal[True],
        **options: Unpack[CallKeywords],
    ) -> AsyncStream: ...
    @overload
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: bool,
        **options: Unpack[CallKeywords],
    ) -> Run | AsyncStream: ...
    @takes(CallKeywords)
    async def submit_tool_outputs(
        self,
        run_id: str,
        *,
        thread_id: str,
        tool_outputs: Iterable[Json],
        stream: Given[bool] = NOT_GIVEN,
        **options: Unpack[CallKeywords],
    ) -> Run | AsyncStream:
        """Answer every call of the round, in one go (A65); with `stream`, the events that follow."""
        call = asked(CallKeywords, options, tool_outputs=tool_outputs)
        if is_given(stream) and stream:
            return await self._stream_outputs(run_id, thread_id, call)
        return Run.model_validate(await self._submit_outputs(run_id, thread_id, call))
