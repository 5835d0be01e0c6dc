"""Runs and run steps of the `responses` backend: requests that queue a turn, and what follows, reads or ends a run."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from functools import partial

from threadbridge.api_types import (
    JsonMapping,
    JsonObject,
    ListObject,
    RunObject,
    RunStepObject,
)
from threadbridge.engine.context import EngineContext
from threadbridge.engine.inline_executor import LocalTurns
from threadbridge.engine.request_transactions import RequestTransactions
from threadbridge.engine.run_followers import RunFollowers, TurnFollower
from threadbridge.engine.run_stream import RunStream
from threadbridge.engine.sweepers import RunSweeper
from threadbridge.engine.thread_queue import wait_for_events
from threadbridge.ports import (
    Event,
    Executor,
    ListQuery,
    ObjectKind,
    PolledRun,
    RecordedRequest,
    RequestContext,
    RunReference,
    Session,
    WarningSink,
    discard_warning,
)
from threadbridge.service import attachments, runs
from threadbridge.service.request_records import (
    RequestRepeated,
    identify_run,
    identify_submission,
)
from threadbridge.service.run_state import is_abandoned
from threadbridge.service.runs import CreatedRun, Submission, compute_poll_hint_ms
from threadbridge.translation.hosted_tools.registry import has_optional_content, strip_event_search_content
from threadbridge.translation.request_builder import list_run_warnings
from threadbridge.translation.wire_objects import (
    build_retrieved_thread,
    build_run_event,
    build_step_event,
    build_streamed_run,
)


class RunOperations(RequestTransactions):
    """The operations of `ports.Backend` on runs and their steps."""

    def __init__(self, ctx: EngineContext, *, executor: Executor, local_turns: LocalTurns, sweeper: RunSweeper) -> None:
        super().__init__(ctx, local_turns)
        self._executor = executor
        self._sweeper = sweeper
        self._run_followers = RunFollowers(self._recover_run)

    async def create_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> RunObject:
        try:
            started = await self._start_run(context, thread_id, body, include)
        except RequestRepeated as repeat:
            return (await self.retrieve_run(context, thread_id, repeat.record.object_id)).run
        self._send_warnings(started, warn)
        self._submit_turn(context, started)
        return started.run

    async def stream_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]:
        try:
            started = await self._start_run(context, thread_id, body, include)
        except RequestRepeated as repeat:
            return await self._follow_turn(context, thread_id, repeat.record)
        self._send_warnings(started, warn)
        return self._stream_turn(context, started, _build_opening_events(started.run), include)

    async def create_thread_and_run(
        self,
        context: RequestContext,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> RunObject:
        try:
            started = await self._start_thread_and_run(context, body, include)
        except RequestRepeated as repeat:
            return (await self.retrieve_run(context, repeat.record.thread_id or "", repeat.record.object_id)).run
        self._send_warnings(started, warn)
        self._submit_turn(context, started)
        return started.run

    async def stream_thread_and_run(
        self,
        context: RequestContext,
        body: JsonMapping,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]:
        try:
            started = await self._start_thread_and_run(context, body, include)
        except RequestRepeated as repeat:
            return await self._follow_turn(context, repeat.record.thread_id or "", repeat.record)
        self._send_warnings(started, warn)
        opening = [Event("thread.created", build_retrieved_thread(started.thread)), *_build_opening_events(started.run)]
        return self._stream_turn(context, started, opening, include)

    async def submit_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping
    ) -> RunObject:
        try:
            submission = await self._submit_outputs(context, thread_id, run_id, body)
        except RequestRepeated as repeat:
            return (await self.retrieve_run(context, thread_id, repeat.record.object_id)).run
        self._submit_turn(context, submission, _build_resumption_events(submission))
        return submission.run

    async def stream_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping
    ) -> AsyncIterator[Event]:
        try:
            submission = await self._submit_outputs(context, thread_id, run_id, body)
        except RequestRepeated as repeat:
            return await self._follow_turn(context, thread_id, repeat.record)
        return self._stream_turn(context, submission, _build_resumption_events(submission))

    async def list_runs(self, context: RequestContext, thread_id: str, query: ListQuery) -> ListObject[RunObject]:
        return await self._read(
            context,
            partial(
                runs.list_page,
                now=self._ctx.clock.now(),
                thread_id=thread_id,
                query=query,
                unknown_cursor=self._unknown_cursor,
            ),
        )

    async def retrieve_run(self, context: RequestContext, thread_id: str, run_id: str) -> PolledRun:
        now, lease_seconds = self._ctx.clock.now(), self._ctx.limits.lease_seconds

        def read_run(session: Session) -> tuple[RunObject, bool, int | None]:
            run = runs.retrieve(session, now, thread_id, run_id)
            return run, is_abandoned(session, now, run, lease_seconds=lease_seconds), compute_poll_hint_ms(run, now)

        run, abandoned, advice = await self._read(context, read_run)
        if abandoned:
            self._recover_run(self._get_ctx(context), run_id)
        return PolledRun(run, advice)

    async def report_run(self, context: RequestContext, thread_id: str, run_id: str) -> JsonObject:
        return await self._read(
            context, partial(runs.retrieve_report, now=self._ctx.clock.now(), thread_id=thread_id, run_id=run_id)
        )

    async def update_run(self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping) -> RunObject:
        return await self._write(context, partial(runs.update, thread_id=thread_id, run_id=run_id, body=body))

    async def cancel_run(self, context: RequestContext, thread_id: str, run_id: str) -> RunObject:
        run = await self._write(context, partial(runs.cancel, thread_id=thread_id, run_id=run_id))
        await self._stop_run(context, run_id)  # also if the run has ended: its turn may still be performed here
        return run

    async def follow_run(
        self, context: RequestContext, thread_id: str, run_id: str, *, after: str | None = None
    ) -> AsyncIterator[Event]:
        return await self._run_followers.follow(
            partial(self._read, context), self._get_ctx(context), thread_id, run_id, after, context.deadline
        )

    async def list_steps(
        self, context: RequestContext, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()
    ) -> ListObject[RunStepObject]:
        return await self._read(
            context,
            partial(
                runs.list_steps,
                now=self._ctx.clock.now(),
                thread_id=thread_id,
                run_id=run_id,
                query=query,
                include=include,
                unknown_cursor=self._unknown_cursor,
            ),
        )

    async def retrieve_step(
        self, context: RequestContext, thread_id: str, run_id: str, step_id: str, *, include: Sequence[str] = ()
    ) -> RunStepObject:
        return await self._read(
            context,
            partial(
                runs.retrieve_step,
                now=self._ctx.clock.now(),
                thread_id=thread_id,
                run_id=run_id,
                step_id=step_id,
                include=include,
            ),
        )

    async def _start_run(
        self, context: RequestContext, thread_id: str, body: JsonMapping, include: Sequence[str]
    ) -> CreatedRun:
        request = await self._receive(context, ObjectKind.RUN, thread_id)
        plan = await self._plan_provisioning(
            context, attachments.plan_for_run, thread_id, body, body.get("additional_messages")
        )
        async with self._provision(context, plan) as provisioned:
            create = partial(runs.create, thread_id=thread_id, body=body, include=include, provisioned=provisioned)
            return await self._run_when_thread_free(
                context, thread_id, partial(self._queue_run, context, request, create, identify_run, body)
            )

    async def _start_thread_and_run(
        self, context: RequestContext, body: JsonMapping, include: Sequence[str]
    ) -> CreatedRun:
        request = await self._receive(context, ObjectKind.RUN)
        plan = attachments.plan_for_thread_and_run(self._ctx.limits, body)
        async with self._provision(context, plan) as provisioned:
            create = partial(runs.create_with_thread, body=body, include=include, provisioned=provisioned)
            return await self._queue_run(context, request, create, identify_run, body)

    async def _submit_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: JsonMapping
    ) -> Submission:
        request = await self._receive(context, ObjectKind.RUN, thread_id)
        submit = partial(runs.submit_tool_outputs, thread_id=thread_id, run_id=run_id, body=body)
        return await self._queue_run(context, request, submit, identify_submission, body)

    def _send_warnings(self, started: CreatedRun, warn: WarningSink) -> None:
        """Warn the creator of a run about parameters that the turn changes or drops. The turn logs the same."""
        ctx, run, turn = self._ctx, started.run, started.turn
        model = ctx.rules.models.resolve(run, ctx.clock.now()) if turn is None else turn.model
        for warning in list_run_warnings(
            run, model, ctx.parameter_rejections.list_rejected_parameters(model.model), ctx.rules.profile
        ):
            warn(warning)

    def _submit_turn(
        self, context: RequestContext, queued: CreatedRun | Submission, opening: Sequence[Event] = ()
    ) -> None:
        """Perform the run's next turn: here if it has started here, otherwise wherever the executor has it performed.

        If earlier turns of the run were streamed, this one continues their stream, with the `opening` events first.
        """
        run = RunReference(context.tenant, queued.run["id"])
        if opening and self._ctx.event_bus.is_waiting(run):
            self._stream_turn(context, queued, opening, has_reader=False)
        elif queued.turn is None:
            self._executor.submit(run)
        else:
            self._local_turns.perform(run, start=queued.turn)

    def _stream_turn(
        self,
        context: RequestContext,
        queued: CreatedRun | Submission,
        opening: Sequence[Event],
        include: Sequence[str] = (),
        *,
        has_reader: bool = True,
    ) -> RunStream:
        """Perform the run's next turn here and publish its events, the `opening` ones first. What searches found is
        published only if `include` asks for it (A77).
        """
        run = RunReference(context.tenant, queued.run["id"])
        hides_content = not include and has_optional_content(queued.run["tools"])
        run_stream = RunStream(
            self._ctx.event_bus.open_turn(run),
            self._ctx.limits.stream_buffer_events,
            has_reader=has_reader,
            transform=strip_event_search_content if hides_content else None,
            wait=None
            if context.deadline is None
            else partial(wait_for_events, clock=self._ctx.clock, deadline=context.deadline),
        )
        run_stream.publish(opening)
        self._local_turns.perform(run, start=queued.turn, run_stream=run_stream)
        return run_stream

    async def _follow_turn(self, context: RequestContext, thread_id: str, record: RecordedRequest) -> TurnFollower:
        """The stream that the recorded request was answered with, from its first event."""
        events = await self.follow_run(context, thread_id, record.object_id)
        return TurnFollower(events, step_id=record.step_id)

    async def _stop_run(self, context: RequestContext, run_id: str) -> None:
        """Stop a run that the store says is to end: its turn, and those who follow it while it waits."""
        run = RunReference(context.tenant, run_id)
        await self._executor.cancel(run)
        self._ctx.event_bus.notify(run)

    def _recover_run(self, ctx: EngineContext, run_id: str) -> None:
        """Submit a run that nothing performs, if this process recovers runs."""
        if self._sweeper.is_running:
            self._executor.submit(RunReference(ctx.tenant, run_id))


def _build_opening_events(run: RunObject) -> tuple[Event, Event]:
    """`created` and `queued` carry the same object (A90)."""
    data = build_streamed_run(run)
    return Event("thread.run.created", data), Event("thread.run.queued", data)


def _build_resumption_events(submission: Submission) -> tuple[Event, Event]:
    """The step that got its outputs, and the run, queued again (A91)."""
    run = submission.run
    return build_step_event(submission.step, run["expires_at"]), build_run_event(run)
