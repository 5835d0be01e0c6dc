"""The `responses` backend: the Assistants API over our store and a Responses service (explanation/architecture.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeAlias, TypeVar

from threadbridge.api_types import (
    AssistantObject,
    DeletionStatus,
    JsonMapping,
    JsonObject,
    ListObject,
    MessageObject,
    RunObject,
    RunStepObject,
    ThreadObject,
    UpdatedMessageObject,
)
from threadbridge.context_window.history_selector import TokenizerNotLoaded
from threadbridge.engine.context import Decision, EngineContext
from threadbridge.engine.generated_files import GeneratedFilesApi
from threadbridge.engine.inline_executor import LocalTurns
from threadbridge.engine.run_followers import RunFollowers, TurnFollower
from threadbridge.engine.run_stream import RunStream
from threadbridge.engine.sweepers import RunSweeper
from threadbridge.engine.thread_queue import ThreadQueue, wait_for_events
from threadbridge.errors import BridgeError
from threadbridge.ports import (
    BackendCapabilities,
    Event,
    Executor,
    HandlesPassthrough,
    ListQuery,
    ObjectKind,
    PassthroughRequest,
    PolledRun,
    RecordedRequest,
    RequestContext,
    RunReference,
    Session,
    WarningSink,
    WireResponse,
    discard_warning,
)
from threadbridge.service import assistants, attachments, messages, runs, threads
from threadbridge.service.attachments import Provisioned, ProvisioningPlan
from threadbridge.service.request_records import (
    AnsweredObject,
    ReceivedRequest,
    RequestRepeated,
    find_record,
    identify_object,
    identify_run,
    identify_submission,
    perform_once,
)
from threadbridge.service.run_state import RunOverdue, end_overdue_run, is_abandoned, may_be_unlocked
from threadbridge.service.runs import CreatedRun, Submission, compute_poll_hint_ms
from threadbridge.settings import Limits, UnknownCursorPolicy
from threadbridge.translation.hosted_tools.registry import has_optional_content, strip_event_search_content
from threadbridge.translation.request_builder import list_run_warnings
from threadbridge.translation.wire_objects import (
    build_retrieved_thread,
    build_run_event,
    build_step_event,
    build_streamed_run,
)

T = TypeVar("T")
ThreadProvisioningPlanner: TypeAlias = Callable[[Session, Limits, str, JsonMapping], ProvisioningPlan]
Queued = TypeVar("Queued", CreatedRun, Submission)


#: Statuses of answers that let no run succeed.
_NOT_READY_STATUSES = (401, 403)
_FIRST_SERVER_ERROR = 500


class ResponsesBackend:
    """`ports.Backend`. Each method is one decision of the service layer in one transaction of the store."""

    capabilities = BackendCapabilities(lists_threads=True, streams=True, follows_runs=True, reports_runs=True)

    def __init__(self, ctx: EngineContext, *, executor: Executor, local_turns: LocalTurns, sweeper: RunSweeper) -> None:
        self._ctx = ctx
        self._executor = executor
        self._local_turns = local_turns
        self._sweeper = sweeper
        self._unknown_cursor: UnknownCursorPolicy = ctx.policies.unknown_cursor
        self._thread_queue = ThreadQueue(
            ctx.clock,
            max_waiting=ctx.limits.busy_waiting_requests if ctx.policies.busy_thread == "queue" else 0,
            wait_seconds=ctx.limits.busy_wait_seconds,
        )
        self._run_followers = RunFollowers(self._recover_run)

    async def aclose(self) -> None:
        """Let running turns end, for a bounded time; then close upstream and store."""
        self._thread_queue.close()
        await self._sweeper.stop()
        await self._executor.aclose()
        await self._local_turns.drain()
        await self._ctx.wait_for_background_tasks()
        await self._ctx.event_bus.aclose()
        await self._ctx.upstream.aclose()
        await self._ctx.store.aclose()

    async def warm_up(self) -> None:
        """Load the tokenizer, so that the first message does not wait for it."""
        await self._ctx.token_counting.load()

    def list_readiness_checks(self) -> Mapping[str, Callable[[], Awaitable[None]]]:
        """Checks of the store and, in a process that performs runs, of the upstream."""
        checks = {"store": self._check_store}
        return {**checks, "upstream": self._check_upstream} if self._sweeper.is_running else checks

    async def _check_store(self) -> None:
        await self._ctx.list_unfinished_runs(after=None, limit=1)

    async def _check_upstream(self) -> None:
        """Any answer will do, except that the key is wrong or the service does not work: some have no `/models`."""
        try:
            await self._ctx.upstream.request("GET", "/models")
        except BridgeError as error:
            if error.status in _NOT_READY_STATUSES or error.status >= _FIRST_SERVER_ERROR:
                raise

    async def handle_passthrough(self, context: RequestContext, request: PassthroughRequest) -> WireResponse | None:
        """The response to a request outside the Assistants API: for generated files from the store, for others from an
        upstream that handles them (the simulator). None: the gateway or transport sends it to the upstream.
        """
        response = await GeneratedFilesApi(self._get_ctx(context)).handle(request)
        if response is not None:
            return response
        upstream = self._ctx.upstream
        return await upstream.handle_passthrough(context, request) if isinstance(upstream, HandlesPassthrough) else None

    # Assistants
    async def create_assistant(self, context: RequestContext, body: JsonMapping) -> AssistantObject:
        try:
            request = await self._receive(context, ObjectKind.ASSISTANT)
            async with self._provision(context, attachments.plan_for_assistant(self._ctx.limits, body)) as provisioned:
                create = partial(assistants.create, body=body, provisioned=provisioned)
                return await self._write_once(context, request, create, identify_object)
        except RequestRepeated as repeat:
            return await self.retrieve_assistant(context, repeat.record.object_id)

    async def list_assistants(self, context: RequestContext, query: ListQuery) -> ListObject[AssistantObject]:
        return await self._read(
            context, partial(assistants.list_page, query=query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_assistant(self, context: RequestContext, assistant_id: str) -> AssistantObject:
        return await self._read(context, partial(assistants.retrieve, assistant_id=assistant_id))

    async def update_assistant(self, context: RequestContext, assistant_id: str, body: JsonMapping) -> AssistantObject:
        async with self._provision(context, attachments.plan_for_assistant_update(self._ctx.limits, body)):
            return await self._write(context, partial(assistants.update, assistant_id=assistant_id, body=body))

    async def delete_assistant(self, context: RequestContext, assistant_id: str) -> DeletionStatus:
        return await self._ctx.store.write(partial(assistants.delete, assistant_id=assistant_id), tenant=context.tenant)

    # Threads
    async def create_thread(self, context: RequestContext, body: JsonMapping) -> ThreadObject:
        try:
            request = await self._receive(context, ObjectKind.THREAD)
            async with self._provision(context, attachments.plan_for_thread(self._ctx.limits, body)) as provisioned:
                create = partial(threads.create, body=body, provisioned=provisioned)
                return await self._write_once(context, request, create, identify_object, body)
        except RequestRepeated as repeat:
            return await self.retrieve_thread(context, repeat.record.object_id)

    async def list_threads(self, context: RequestContext, query: ListQuery) -> ListObject[ThreadObject]:
        return await self._read(context, partial(threads.list_page, query=query, unknown_cursor=self._unknown_cursor))

    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> ThreadObject:
        return await self._read(context, partial(threads.retrieve, thread_id=thread_id))

    async def update_thread(self, context: RequestContext, thread_id: str, body: JsonMapping) -> ThreadObject:
        async with self._provision(context, attachments.plan_for_thread_update(self._ctx.limits, body)):
            return await self._write(context, partial(threads.update, thread_id=thread_id, body=body))

    async def delete_thread(self, context: RequestContext, thread_id: str) -> DeletionStatus:
        deletion = await self._write(context, partial(threads.delete, thread_id=thread_id))
        if deletion.run_id is not None:
            await self._stop_run(context, deletion.run_id)
        return deletion.response

    # Messages
    async def create_message(self, context: RequestContext, thread_id: str, body: JsonMapping) -> MessageObject:
        try:
            request = await self._receive(context, ObjectKind.MESSAGE, thread_id)
            plan = await self._plan_provisioning(context, attachments.plan_for_message, thread_id, body, [body])
            async with self._provision(context, plan) as provisioned:
                create = partial(messages.create, thread_id=thread_id, body=body, provisioned=provisioned)
                return await self._run_when_thread_free(
                    context, thread_id, partial(self._write_once, context, request, create, identify_object, body)
                )
        except RequestRepeated as repeat:
            return await self.retrieve_message(context, thread_id, repeat.record.object_id)

    async def list_messages(
        self, context: RequestContext, thread_id: str, query: ListQuery
    ) -> ListObject[MessageObject]:
        return await self._read(
            context,
            partial(messages.list_page, thread_id=thread_id, query=query, unknown_cursor=self._unknown_cursor),
        )

    async def retrieve_message(self, context: RequestContext, thread_id: str, message_id: str) -> MessageObject:
        return await self._read(context, partial(messages.retrieve, thread_id=thread_id, message_id=message_id))

    async def update_message(
        self, context: RequestContext, thread_id: str, message_id: str, body: JsonMapping
    ) -> UpdatedMessageObject:
        return await self._write(
            context, partial(messages.update, thread_id=thread_id, message_id=message_id, body=body)
        )

    async def delete_message(self, context: RequestContext, thread_id: str, message_id: str) -> DeletionStatus:
        return await self._ctx.store.write(
            partial(messages.delete, thread_id=thread_id, message_id=message_id), tenant=context.tenant
        )

    # Runs
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

    async def follow_run(
        self, context: RequestContext, thread_id: str, run_id: str, *, after: str | None = None
    ) -> AsyncIterator[Event]:
        return await self._run_followers.follow(
            partial(self._read, context), self._get_ctx(context), thread_id, run_id, after, context.deadline
        )

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

    # Run steps
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

    # Shared
    def _get_ctx(self, context: RequestContext) -> EngineContext:
        return self._ctx.for_tenant(context.tenant)

    def _write(self, context: RequestContext, decide: Decision[T], body: JsonMapping | None = None) -> Awaitable[T]:
        return self._ctx.for_tenant(context.tenant).write(decide, body=body)

    async def _receive(
        self, context: RequestContext, kind: ObjectKind, thread_id: str | None = None
    ) -> ReceivedRequest | None:
        """The request, if it is to be recorded. Raises RequestRepeated if it may be a repeat and was answered."""
        identity = context.identity
        if identity is None or (identity.key is None and thread_id is None):
            return None
        request = ReceivedRequest(identity, kind, thread_id, self._ctx.clock.now())
        if identity.key is not None or identity.attempt > 0:
            record = await self._write(context, partial(find_record, request=request))
            if record is not None:
                raise RequestRepeated(record)
        return request

    async def _write_once(
        self,
        context: RequestContext,
        request: ReceivedRequest | None,
        decide: Decision[T],
        identify: Callable[[T], AnsweredObject],
        body: JsonMapping | None = None,
    ) -> T:
        """Run a transaction that records the request. Raises RequestRepeated if it was answered before."""
        decide_once = perform_once(request, decide, identify)
        result = await self._write(context, decide_once, body)
        if isinstance(result, RecordedRequest):
            raise RequestRepeated(result)
        return result

    async def _follow_turn(self, context: RequestContext, thread_id: str, record: RecordedRequest) -> TurnFollower:
        """The stream that the recorded request was answered with, from its first event."""
        events = await self.follow_run(context, thread_id, record.object_id)
        return TurnFollower(events, step_id=record.step_id)

    async def _read(self, context: RequestContext, work: Callable[[Session], T]) -> T:
        """What the store holds. A run that is past its deadline is ended first (A60)."""
        while True:
            try:
                return await self._ctx.store.read(work, tenant=context.tenant)
            except RunOverdue as overdue:
                await self._write(context, partial(end_overdue_run, run_id=overdue.run_id))

    async def _stop_run(self, context: RequestContext, run_id: str) -> None:
        """Stop a run that the store says is to end: its turn, and those who follow it while it waits."""
        run = RunReference(context.tenant, run_id)
        await self._executor.cancel(run)
        self._ctx.event_bus.notify(run)

    def _recover_run(self, ctx: EngineContext, run_id: str) -> None:
        """Submit a run that nothing performs, if this process recovers runs."""
        if self._sweeper.is_running:
            self._executor.submit(RunReference(ctx.tenant, run_id))

    def _run_when_thread_free(
        self, context: RequestContext, thread_id: str, attempt: Callable[[], Awaitable[T]]
    ) -> Awaitable[T]:
        """A transaction that a busy thread refuses, or takes later if requests may wait for it."""

        def is_free() -> Awaitable[bool]:
            return self._read(context, partial(may_be_unlocked, now=self._ctx.clock.now(), thread_id=thread_id))

        return self._thread_queue.run_when_free(
            attempt, thread_id=thread_id, is_free=is_free, deadline=context.deadline
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

    async def _plan_provisioning(
        self,
        context: RequestContext,
        plan: ThreadProvisioningPlanner,
        thread_id: str,
        body: JsonMapping,
        new_messages: object,
    ) -> ProvisioningPlan | None:
        if not attachments.names_files(new_messages):
            return None
        return await self._read(context, lambda session: plan(session, self._ctx.limits, thread_id, body))

    def _provision(
        self, context: RequestContext, plan: ProvisioningPlan | None
    ) -> AbstractAsyncContextManager[Provisioned | None]:
        """Create what the plan needs upstream before the transaction of the request; delete it if that fails."""
        possible_plan = attachments.restrict_to_capabilities(plan, self._ctx.rules.profile)
        return self._get_ctx(context).attachment_provisioner.provision(possible_plan)

    async def _queue_run(
        self,
        context: RequestContext,
        request: ReceivedRequest | None,
        decide: Decision[Queued],
        identify: Callable[[Queued], AnsweredObject],
        body: JsonMapping,
    ) -> Queued:
        """Run a transaction that queues a run and, if a slot is free, starts its turn. Records the request; raises
        RequestRepeated if it was answered before.
        """
        has_slot = await self._local_turns.try_reserve_slot()
        turn_started = False
        try:
            await self._ctx.load_prices_if_limited()
            service_context, is_large = await self._ctx.prepare_write(body, starts_turn=has_slot)
            decide_once = perform_once(request, decide, identify)
            work = partial(decide_once, context=service_context)
            while True:
                try:
                    queued = await self._ctx.store.write(work, tenant=context.tenant, large=is_large)
                    break
                except TokenizerNotLoaded:
                    await self._ctx.token_counting.load()
            if isinstance(queued, RecordedRequest):
                raise RequestRepeated(queued)
            turn_started = queued.turn is not None
        finally:
            if has_slot and not turn_started:
                self._local_turns.release_slot()
        return queued

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


def _build_opening_events(run: RunObject) -> tuple[Event, Event]:
    """`created` and `queued` carry the same object (A90)."""
    data = build_streamed_run(run)
    return Event("thread.run.created", data), Event("thread.run.queued", data)


def _build_resumption_events(submission: Submission) -> tuple[Event, Event]:
    """The step that got its outputs, and the run, queued again (A91)."""
    run = submission.run
    return build_step_event(submission.step, run["expires_at"]), build_run_event(run)
