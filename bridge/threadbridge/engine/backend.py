"""The `responses` backend: the Assistants API over our store and a Responses service (explanation/architecture.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import TypeAlias, TypeVar

from threadbridge.engine.context import EngineContext
from threadbridge.engine.generated_files_api import GeneratedFilesApi
from threadbridge.engine.local_turns import LocalTurns
from threadbridge.engine.run_followers import RunFollowers
from threadbridge.engine.run_stream import RunStream
from threadbridge.engine.run_sweeper import RunSweeper
from threadbridge.engine.thread_queue import ThreadQueue
from threadbridge.ports import (
    BackendCapabilities,
    Event,
    Executor,
    HandlesPassthrough,
    ListQuery,
    PassthroughRequest,
    PolledRun,
    RequestContext,
    RunReference,
    Session,
    WarningSink,
    Wire,
    WireResponse,
    discard_warning,
)
from threadbridge.service import assistants, attachments, messages, runs, threads, tool_outputs
from threadbridge.service.attachments import Provisioned, ProvisioningPlan
from threadbridge.service.context import ServiceContext
from threadbridge.service.run_state import RunOverdue, end_overdue_run, is_abandoned, may_be_unlocked
from threadbridge.service.runs import CreatedRun, compute_poll_hint_ms
from threadbridge.service.tool_outputs import Submission
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
ThreadProvisioningPlanner: TypeAlias = Callable[[Session, Limits, str, Wire], ProvisioningPlan]
Queued = TypeVar("Queued", CreatedRun, Submission)


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

    async def handle_passthrough(self, context: RequestContext, request: PassthroughRequest) -> WireResponse | None:
        """What is not the Assistants API's: files that code made are answered here, the rest by the simulator; a real
        service is left to the door.
        """
        response = await GeneratedFilesApi(self._get_ctx(context)).handle(request)
        if response is not None:
            return response
        upstream = self._ctx.upstream
        return await upstream.handle_passthrough(context, request) if isinstance(upstream, HandlesPassthrough) else None

    # Assistants
    async def create_assistant(self, context: RequestContext, body: Wire) -> Wire:
        async with self._provision(context, attachments.plan_for_assistant(self._ctx.limits, body)) as provisioned:
            return await self._write(context, lambda session, at: assistants.create(session, at, body, provisioned))

    async def list_assistants(self, context: RequestContext, query: ListQuery) -> Wire:
        return await self._read(
            context, lambda session, _: assistants.list_page(session, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_assistant(self, context: RequestContext, assistant_id: str) -> Wire:
        return await self._read(context, lambda session, _: assistants.retrieve(session, assistant_id))

    async def update_assistant(self, context: RequestContext, assistant_id: str, body: Wire) -> Wire:
        async with self._provision(context, attachments.plan_for_assistant_update(self._ctx.limits, body)):
            return await self._write(context, lambda session, at: assistants.update(session, at, assistant_id, body))

    async def delete_assistant(self, context: RequestContext, assistant_id: str) -> Wire:
        return await self._write(context, lambda session, _: assistants.delete(session, assistant_id))

    # Threads
    async def create_thread(self, context: RequestContext, body: Wire) -> Wire:
        async with self._provision(context, attachments.plan_for_thread(self._ctx.limits, body)) as provisioned:
            return await self._write(context, lambda session, at: threads.create(session, at, body, provisioned), body)

    async def list_threads(self, context: RequestContext, query: ListQuery) -> Wire:
        return await self._read(
            context, lambda session, _: threads.list_page(session, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_thread(self, context: RequestContext, thread_id: str) -> Wire:
        return await self._read(context, lambda session, _: threads.retrieve(session, thread_id))

    async def update_thread(self, context: RequestContext, thread_id: str, body: Wire) -> Wire:
        async with self._provision(context, attachments.plan_for_thread_update(self._ctx.limits, body)):
            return await self._write(context, lambda session, at: threads.update(session, at, thread_id, body))

    async def delete_thread(self, context: RequestContext, thread_id: str) -> Wire:
        deletion = await self._write(context, lambda session, at: threads.delete(session, at, thread_id))
        if deletion.run_id is not None:
            await self._stop_run(context, deletion.run_id)
        return deletion.response

    # Messages
    async def create_message(self, context: RequestContext, thread_id: str, body: Wire) -> Wire:
        plan = await self._plan_provisioning(context, attachments.plan_for_message, thread_id, body, [body])
        async with self._provision(context, plan) as provisioned:
            return await self._run_when_thread_free(
                context,
                thread_id,
                lambda: self._write(
                    context, lambda session, at: messages.create(session, at, thread_id, body, provisioned), body
                ),
            )

    async def list_messages(self, context: RequestContext, thread_id: str, query: ListQuery) -> Wire:
        return await self._read(
            context,
            lambda session, _: messages.list_page(session, thread_id, query, unknown_cursor=self._unknown_cursor),
        )

    async def retrieve_message(self, context: RequestContext, thread_id: str, message_id: str) -> Wire:
        return await self._read(context, lambda session, _: messages.retrieve(session, thread_id, message_id))

    async def update_message(self, context: RequestContext, thread_id: str, message_id: str, body: Wire) -> Wire:
        return await self._write(context, lambda session, at: messages.update(session, at, thread_id, message_id, body))

    async def delete_message(self, context: RequestContext, thread_id: str, message_id: str) -> Wire:
        return await self._write(context, lambda session, _: messages.delete(session, thread_id, message_id))

    # Runs
    async def create_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: Wire,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> Wire:
        started = await self._start_run(context, thread_id, body, include)
        self._send_warnings(started, warn)
        self._submit_turn(context, started)
        return started.run

    async def stream_run(
        self,
        context: RequestContext,
        thread_id: str,
        body: Wire,
        *,
        include: Sequence[str] = (),
        warn: WarningSink = discard_warning,
    ) -> AsyncIterator[Event]:
        started = await self._start_run(context, thread_id, body, include)
        self._send_warnings(started, warn)
        return self._stream_turn(context, started, _build_opening_events(started.run), include)

    async def create_thread_and_run(
        self, context: RequestContext, body: Wire, *, include: Sequence[str] = (), warn: WarningSink = discard_warning
    ) -> Wire:
        started = await self._start_thread_and_run(context, body, include)
        self._send_warnings(started, warn)
        self._submit_turn(context, started)
        return started.run

    async def stream_thread_and_run(
        self, context: RequestContext, body: Wire, *, include: Sequence[str] = (), warn: WarningSink = discard_warning
    ) -> AsyncIterator[Event]:
        started = await self._start_thread_and_run(context, body, include)
        self._send_warnings(started, warn)
        opening = [Event("thread.created", build_retrieved_thread(started.thread)), *_build_opening_events(started.run)]
        return self._stream_turn(context, started, opening, include)

    async def follow_run(
        self, context: RequestContext, thread_id: str, run_id: str, *, after: str | None = None
    ) -> AsyncIterator[Event]:
        return await self._run_followers.follow(
            partial(self._read, context), self._get_ctx(context), thread_id, run_id, after
        )

    async def list_runs(self, context: RequestContext, thread_id: str, query: ListQuery) -> Wire:
        return await self._read(
            context,
            lambda session, now: runs.list_page(session, now, thread_id, query, unknown_cursor=self._unknown_cursor),
        )

    async def retrieve_run(self, context: RequestContext, thread_id: str, run_id: str) -> PolledRun:
        def read_run(session: Session, now: float) -> tuple[Wire, bool, int | None]:
            run = runs.retrieve(session, now, thread_id, run_id)
            return run, is_abandoned(session, now, run), compute_poll_hint_ms(run, now)

        run, abandoned, advice = await self._read(context, read_run)
        if abandoned:
            self._recover_run(self._get_ctx(context), run_id)
        return PolledRun(run, advice)

    async def report_run(self, context: RequestContext, thread_id: str, run_id: str) -> Wire:
        return await self._read(context, lambda session, now: runs.retrieve_report(session, now, thread_id, run_id))

    async def update_run(self, context: RequestContext, thread_id: str, run_id: str, body: Wire) -> Wire:
        return await self._write(context, lambda session, at: runs.update(session, at, thread_id, run_id, body))

    async def cancel_run(self, context: RequestContext, thread_id: str, run_id: str) -> Wire:
        run = await self._write(context, lambda session, at: runs.cancel(session, at, thread_id, run_id))
        await self._stop_run(context, run_id)  # also where the run ended at once: a worker that fell behind may be ours
        return run

    async def submit_tool_outputs(self, context: RequestContext, thread_id: str, run_id: str, body: Wire) -> Wire:
        submission = await self._queue_run(
            context, lambda session, at: tool_outputs.submit(session, at, thread_id, run_id, body), body
        )
        self._submit_turn(context, submission, _build_resumption_events(submission))
        return submission.run

    async def stream_tool_outputs(
        self, context: RequestContext, thread_id: str, run_id: str, body: Wire
    ) -> AsyncIterator[Event]:
        submission = await self._queue_run(
            context, lambda session, at: tool_outputs.submit(session, at, thread_id, run_id, body), body
        )
        return self._stream_turn(context, submission, _build_resumption_events(submission))

    # Run steps
    async def list_steps(
        self, context: RequestContext, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()
    ) -> Wire:
        return await self._read(
            context,
            lambda session, now: runs.list_steps(
                session, now, thread_id, run_id, query, include, unknown_cursor=self._unknown_cursor
            ),
        )

    async def retrieve_step(
        self, context: RequestContext, thread_id: str, run_id: str, step_id: str, *, include: Sequence[str] = ()
    ) -> Wire:
        return await self._read(
            context, lambda session, now: runs.retrieve_step(session, now, thread_id, run_id, step_id, include)
        )

    # Shared
    def _get_ctx(self, context: RequestContext) -> EngineContext:
        return self._ctx.for_tenant(context.tenant)

    def _write(
        self, context: RequestContext, decide: Callable[[Session, ServiceContext], T], body: Wire | None = None
    ) -> Awaitable[T]:
        return self._ctx.for_tenant(context.tenant).write(decide, body=body)

    async def _read(self, context: RequestContext, work: Callable[[Session, float], T]) -> T:
        """A read; a deadline it meets is written down first (A60)."""
        now = self._ctx.clock.now()
        while True:
            try:
                return await self._ctx.store.read(lambda session: work(session, now), tenant=context.tenant)
            except RunOverdue as overdue:
                await self._write(context, partial(end_overdue_run, run_id=overdue.run_id))

    async def _stop_run(self, context: RequestContext, run_id: str) -> None:
        """Stop a run that the store says is to end: its turn, and those who follow it while it waits."""
        run = RunReference(context.tenant, run_id)
        await self._executor.cancel(run)
        self._ctx.event_bus.notify(run)

    def _recover_run(self, ctx: EngineContext, run_id: str) -> None:
        """Submit a run that has no worker, where this process recovers runs."""
        if self._sweeper.is_running:
            self._executor.submit(RunReference(ctx.tenant, run_id))

    async def _run_when_thread_free(
        self, context: RequestContext, thread_id: str, attempt: Callable[[], Awaitable[T]]
    ) -> T:
        """A transaction that a busy thread refuses, or takes later where requests may wait for it."""
        return await self._thread_queue.run_when_free(
            attempt,
            thread_id=thread_id,
            is_free=lambda: self._read(context, partial(may_be_unlocked, thread_id=thread_id)),
        )

    async def _start_run(
        self, context: RequestContext, thread_id: str, body: Wire, include: Sequence[str]
    ) -> CreatedRun:
        plan = await self._plan_provisioning(
            context, attachments.plan_for_run, thread_id, body, body.get("additional_messages")
        )
        async with self._provision(context, plan) as provisioned:
            return await self._run_when_thread_free(
                context,
                thread_id,
                lambda: self._queue_run(
                    context, lambda session, at: runs.create(session, at, thread_id, body, include, provisioned), body
                ),
            )

    async def _start_thread_and_run(self, context: RequestContext, body: Wire, include: Sequence[str]) -> CreatedRun:
        plan = attachments.plan_for_thread_and_run(self._ctx.limits, body)
        async with self._provision(context, plan) as provisioned:
            return await self._queue_run(
                context, lambda session, at: runs.create_with_thread(session, at, body, include, provisioned), body
            )

    async def _plan_provisioning(
        self, context: RequestContext, plan: ThreadProvisioningPlanner, thread_id: str, body: Wire, new_messages: object
    ) -> ProvisioningPlan | None:
        if not attachments.names_files(new_messages):
            return None
        limits = self._ctx.limits
        return await self._read(context, lambda session, _: plan(session, limits, thread_id, body))

    def _provision(
        self, context: RequestContext, plan: ProvisioningPlan | None
    ) -> AbstractAsyncContextManager[Provisioned | None]:
        """What the upstream has to provide before the request's transaction; undone if that fails."""
        possible_plan = attachments.restrict_to_capabilities(plan, self._ctx.rules.profile)
        return self._get_ctx(context).attachment_provisioner.provision(possible_plan)

    async def _queue_run(
        self, context: RequestContext, decide: Callable[[Session, ServiceContext], Queued], body: Wire
    ) -> Queued:
        """A transaction that queues a run, and begins its turn where a place is free."""
        has_slot = self._local_turns.try_reserve_slot()
        turn_started = False
        try:
            await self._ctx.load_prices_if_limited()
            queued = await self._get_ctx(context).write(decide, starts_turn=has_slot, body=body)
            turn_started = queued.turn is not None
        finally:
            if has_slot and not turn_started:
                self._local_turns.release_slot()
        return queued

    def _send_warnings(self, started: CreatedRun, warn: WarningSink) -> None:
        """Warn the creator of a run about what it asks for and will not get; the turn logs the same."""
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
        )
        run_stream.publish(opening)
        self._local_turns.perform(run, start=queued.turn, run_stream=run_stream)
        return run_stream


def _build_opening_events(run: Wire) -> tuple[Event, Event]:
    """`created` and `queued` carry the same object (A90)."""
    data = build_streamed_run(run)
    return Event("thread.run.created", data), Event("thread.run.queued", data)


def _build_resumption_events(submission: Submission) -> tuple[Event, Event]:
    """The step that got its outputs, and the run, queued again (A91)."""
    run = submission.run
    return build_step_event(submission.step, run["expires_at"]), build_run_event(run)
