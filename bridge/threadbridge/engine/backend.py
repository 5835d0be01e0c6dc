"""The `responses` backend: the Assistants API over our store and a Responses service (explanation/architecture.md)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias, TypeVar

from threadbridge.engine.context import EngineContext
from threadbridge.engine.generated_files_api import GeneratedFilesApi
from threadbridge.engine.inline_executor import InlineExecutor
from threadbridge.engine.run_followers import RunFollowers
from threadbridge.engine.run_stream import RunStream
from threadbridge.engine.thread_queue import ThreadQueue
from threadbridge.ports import (
    BackendCapabilities,
    Event,
    HandlesPassthrough,
    ListQuery,
    PassthroughRequest,
    PolledRun,
    Session,
    WarningSink,
    Wire,
    WireResponse,
    discard_warning,
)
from threadbridge.service import assistants, attachments, messages, run_reports, run_steps, runs, threads, tool_outputs
from threadbridge.service.attachments import Provisioned, ProvisioningPlan
from threadbridge.service.context import ServiceContext
from threadbridge.service.leases import is_abandoned
from threadbridge.service.poll_hints import compute_poll_hint_ms
from threadbridge.service.run_expiry import RunOverdue, end_overdue_run
from threadbridge.service.runs import CreatedRun
from threadbridge.service.thread_lock import may_be_unlocked
from threadbridge.service.tool_outputs import Submission
from threadbridge.settings import Limits, UnknownCursorPolicy
from threadbridge.translation.request_builder import list_run_warnings
from threadbridge.translation.step_includes import has_optional_content, strip_event_search_content
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
    """`ports.Backend` for one tenant. Each method is one decision of the core in one transaction of the store."""

    capabilities = BackendCapabilities(lists_threads=True, streams=True, follows_runs=True, reports_runs=True)

    def __init__(self, ctx: EngineContext, executor: InlineExecutor) -> None:
        self._ctx = ctx
        self._executor = executor
        self._generated_files = GeneratedFilesApi(ctx)
        self._unknown_cursor: UnknownCursorPolicy = ctx.policies.unknown_cursor
        self._thread_queue = ThreadQueue(
            ctx.clock,
            max_waiting=ctx.limits.busy_waiting_requests if ctx.policies.busy_thread == "queue" else 0,
            wait_seconds=ctx.limits.busy_wait_seconds,
        )
        self._run_followers = RunFollowers(ctx.event_logs, ctx.clock, self._read, executor.recover_run)

    async def aclose(self) -> None:
        """Let running turns end, for a bounded time; then close upstream and store."""
        self._thread_queue.close()
        await self._executor.drain()
        await self._ctx.upstream.aclose()
        await self._ctx.store.aclose()

    async def handle_passthrough(self, request: PassthroughRequest) -> WireResponse | None:
        """What is not the Assistants API's: files that code made are answered here, the rest by the simulator; a real
        service is left to the door.
        """
        response = await self._generated_files.handle(request)
        if response is not None:
            return response
        upstream = self._ctx.upstream
        return await upstream.handle_passthrough(request) if isinstance(upstream, HandlesPassthrough) else None

    # Assistants
    async def create_assistant(self, body: Wire) -> Wire:
        return await self._provision_and_write(
            attachments.plan_for_assistant(self._ctx.limits, body),
            lambda supplied: self._write(lambda session, context: assistants.create(session, context, body, supplied)),
        )

    async def list_assistants(self, query: ListQuery) -> Wire:
        return await self._read(
            lambda session, _: assistants.list_page(session, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_assistant(self, assistant_id: str) -> Wire:
        return await self._read(lambda session, _: assistants.retrieve(session, assistant_id))

    async def update_assistant(self, assistant_id: str, body: Wire) -> Wire:
        return await self._provision_and_write(
            attachments.plan_for_assistant_update(self._ctx.limits, body),
            lambda _: self._write(lambda session, context: assistants.update(session, context, assistant_id, body)),
        )

    async def delete_assistant(self, assistant_id: str) -> Wire:
        return await self._write(lambda session, _: assistants.delete(session, assistant_id))

    # Threads
    async def create_thread(self, body: Wire) -> Wire:
        return await self._provision_and_write(
            attachments.plan_for_thread(self._ctx.limits, body),
            lambda supplied: self._write(lambda session, context: threads.create(session, context, body, supplied)),
        )

    async def list_threads(self, query: ListQuery) -> Wire:
        return await self._read(
            lambda session, _: threads.list_page(session, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_thread(self, thread_id: str) -> Wire:
        return await self._read(lambda session, _: threads.retrieve(session, thread_id))

    async def update_thread(self, thread_id: str, body: Wire) -> Wire:
        return await self._provision_and_write(
            attachments.plan_for_thread_update(self._ctx.limits, body),
            lambda _: self._write(lambda session, context: threads.update(session, context, thread_id, body)),
        )

    async def delete_thread(self, thread_id: str) -> Wire:
        deletion = await self._write(lambda session, context: threads.delete(session, context, thread_id))
        if deletion.run_id is not None:
            await self._stop_run(deletion.run_id)
        return deletion.response

    # Messages
    async def create_message(self, thread_id: str, body: Wire) -> Wire:
        def write(provisioned: Provisioned | None) -> Awaitable[Wire]:
            return self._run_when_thread_free(
                thread_id,
                lambda: self._write(
                    lambda session, context: messages.create(session, context, thread_id, body, provisioned)
                ),
            )

        return await self._provision_and_write(
            await self._plan_provisioning(attachments.plan_for_message, thread_id, body, [body]), write
        )

    async def list_messages(self, thread_id: str, query: ListQuery) -> Wire:
        return await self._read(
            lambda session, _: messages.list_page(session, thread_id, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_message(self, thread_id: str, message_id: str) -> Wire:
        return await self._read(lambda session, _: messages.retrieve(session, thread_id, message_id))

    async def update_message(self, thread_id: str, message_id: str, body: Wire) -> Wire:
        return await self._write(
            lambda session, context: messages.update(session, context, thread_id, message_id, body)
        )

    async def delete_message(self, thread_id: str, message_id: str) -> Wire:
        return await self._write(lambda session, _: messages.delete(session, thread_id, message_id))

    # Runs
    async def create_run(
        self, thread_id: str, body: Wire, *, include: Sequence[str] = (), warn: WarningSink = discard_warning
    ) -> Wire:
        started = await self._start_run(thread_id, body, include)
        self._send_warnings(started, warn)
        self._submit_turn(started)
        return started.run

    async def stream_run(
        self, thread_id: str, body: Wire, *, include: Sequence[str] = (), warn: WarningSink = discard_warning
    ) -> AsyncIterator[Event]:
        started = await self._start_run(thread_id, body, include)
        self._send_warnings(started, warn)
        return self._submit_and_stream_turn(started, _build_opening_events(started.run), include)

    async def create_thread_and_run(
        self, body: Wire, *, include: Sequence[str] = (), warn: WarningSink = discard_warning
    ) -> Wire:
        started = await self._start_thread_and_run(body, include)
        self._send_warnings(started, warn)
        self._submit_turn(started)
        return started.run

    async def stream_thread_and_run(
        self, body: Wire, *, include: Sequence[str] = (), warn: WarningSink = discard_warning
    ) -> AsyncIterator[Event]:
        started = await self._start_thread_and_run(body, include)
        self._send_warnings(started, warn)
        opening = [Event("thread.created", build_retrieved_thread(started.thread)), *_build_opening_events(started.run)]
        return self._submit_and_stream_turn(started, opening, include)

    async def follow_run(self, thread_id: str, run_id: str, *, after: str | None = None) -> AsyncIterator[Event]:
        return await self._run_followers.follow(thread_id, run_id, after)

    async def list_runs(self, thread_id: str, query: ListQuery) -> Wire:
        return await self._read(
            lambda session, now: runs.list_page(session, now, thread_id, query, unknown_cursor=self._unknown_cursor)
        )

    async def retrieve_run(self, thread_id: str, run_id: str) -> PolledRun:
        def read_run(session: Session, now: float) -> tuple[Wire, bool, int | None]:
            run = runs.retrieve(session, now, thread_id, run_id)
            return run, is_abandoned(session, now, run), compute_poll_hint_ms(run, now)

        run, abandoned, advice = await self._read(read_run)
        if abandoned:
            self._executor.recover_run(run_id)
        return PolledRun(run, advice)

    async def report_run(self, thread_id: str, run_id: str) -> Wire:
        return await self._read(lambda session, now: run_reports.retrieve_report(session, now, thread_id, run_id))

    async def update_run(self, thread_id: str, run_id: str, body: Wire) -> Wire:
        return await self._write(lambda session, context: runs.update(session, context, thread_id, run_id, body))

    async def cancel_run(self, thread_id: str, run_id: str) -> Wire:
        run = await self._write(lambda session, context: runs.cancel(session, context, thread_id, run_id))
        await self._stop_run(run_id)  # also where the run ended at once: a worker that fell behind may be ours
        return run

    async def submit_tool_outputs(self, thread_id: str, run_id: str, body: Wire) -> Wire:
        submission = await self._queue_run(
            lambda session, context: tool_outputs.submit(session, context, thread_id, run_id, body)
        )
        self._submit_turn(submission, _build_resumption_events(submission))
        return submission.run

    async def stream_tool_outputs(self, thread_id: str, run_id: str, body: Wire) -> AsyncIterator[Event]:
        submission = await self._queue_run(
            lambda session, context: tool_outputs.submit(session, context, thread_id, run_id, body)
        )
        return self._submit_and_stream_turn(submission, _build_resumption_events(submission))

    # Run steps
    async def list_steps(self, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()) -> Wire:
        return await self._read(
            lambda session, now: run_steps.list_page(
                session, now, thread_id, run_id, query, include, unknown_cursor=self._unknown_cursor
            )
        )

    async def retrieve_step(self, thread_id: str, run_id: str, step_id: str, *, include: Sequence[str] = ()) -> Wire:
        return await self._read(
            lambda session, now: run_steps.retrieve(session, now, thread_id, run_id, step_id, include)
        )

    # Shared
    async def _write(self, decide: Callable[[Session, ServiceContext], T]) -> T:
        return await self._ctx.write(decide)

    async def _read(self, work: Callable[[Session, float], T]) -> T:
        """A read; a deadline it meets is written down first (A60)."""
        now = self._ctx.clock.now()
        while True:
            try:
                return await self._ctx.store.read(lambda session: work(session, now), tenant=self._ctx.tenant)
            except RunOverdue as overdue:
                await self._write(partial(end_overdue_run, run_id=overdue.run_id))

    async def _stop_run(self, run_id: str) -> None:
        """The store says that a run is to end: tell its worker, and whoever follows it while it waits."""
        await self._executor.cancel(run_id)
        waiting = self._ctx.event_logs.find_waiting(run_id)
        if waiting is not None:
            waiting.notify_waiters()

    async def _run_when_thread_free(self, thread_id: str, attempt: Callable[[], Awaitable[T]]) -> T:
        """A transaction that a busy thread refuses, or takes later where requests may wait for it."""
        return await self._thread_queue.run_when_free(
            attempt, thread_id=thread_id, is_free=lambda: self._read(partial(may_be_unlocked, thread_id=thread_id))
        )

    async def _start_run(self, thread_id: str, body: Wire, include: Sequence[str]) -> CreatedRun:
        def write(provisioned: Provisioned | None) -> Awaitable[CreatedRun]:
            return self._run_when_thread_free(
                thread_id,
                lambda: self._queue_run(
                    lambda session, context: runs.create(session, context, thread_id, body, include, provisioned)
                ),
            )

        plan = await self._plan_provisioning(attachments.plan_for_run, thread_id, body, body.get("additional_messages"))
        return await self._provision_and_write(plan, write)

    async def _start_thread_and_run(self, body: Wire, include: Sequence[str]) -> CreatedRun:
        return await self._provision_and_write(
            attachments.plan_for_thread_and_run(self._ctx.limits, body),
            lambda supplied: self._queue_run(
                lambda session, context: runs.create_with_thread(session, context, body, include, supplied)
            ),
        )

    async def _plan_provisioning(
        self, plan: ThreadProvisioningPlanner, thread_id: str, body: Wire, new_messages: object
    ) -> ProvisioningPlan | None:
        if not attachments.names_files(new_messages):
            return None
        limits = self._ctx.limits
        return await self._read(lambda session, _: plan(session, limits, thread_id, body))

    async def _provision_and_write(
        self, plan: ProvisioningPlan | None, write: Callable[[Provisioned | None], Awaitable[T]]
    ) -> T:
        """A transaction, and before it what it needs done at the service behind."""
        possible_plan = attachments.restrict_to_capabilities(plan, self._ctx.rules.profile)
        if possible_plan is None:
            return await write(None)
        async with self._ctx.attachment_provisioner.provision(possible_plan) as provisioned:
            return await write(provisioned)

    async def _queue_run(self, decide: Callable[[Session, ServiceContext], Queued]) -> Queued:
        """A transaction that queues a run, and begins its turn where a place is free."""
        has_slot = self._executor.try_reserve_slot()
        turn_started = False
        try:
            await self._ctx.load_prices_if_limited()
            queued = await self._ctx.write(decide, starts_turn=has_slot)
            turn_started = queued.turn is not None
        finally:
            if has_slot and not turn_started:
                self._executor.release_slot()
        return queued

    def _send_warnings(self, started: CreatedRun, warn: WarningSink) -> None:
        """Tell its creator in what the run will not be what was asked for; the turn tells the log."""
        ctx, run, turn = self._ctx, started.run, started.turn
        model = ctx.rules.models.resolve(run, ctx.clock.now()) if turn is None else turn.model
        for warning in list_run_warnings(
            run, model, ctx.parameter_rejections.list_rejected_parameters(model.model), ctx.rules.profile
        ):
            warn(warning)

    def _submit_turn(self, queued: CreatedRun | Submission, opening: Sequence[Event] = ()) -> None:
        """Perform the run's next turn; where its earlier ones were told, this one is too, the given events first."""
        is_streamed = bool(opening) and self._ctx.event_logs.find_waiting(queued.run["id"]) is not None
        self._submit_to_executor(
            queued, self._open_run_stream(queued, opening, has_reader=False) if is_streamed else None
        )

    def _submit_and_stream_turn(
        self, queued: CreatedRun | Submission, opening: Sequence[Event], include: Sequence[str] = ()
    ) -> AsyncIterator[Event]:
        """Perform the run's next turn and hand out its events, the given ones first."""
        run_stream = self._open_run_stream(queued, opening, include)
        self._submit_to_executor(queued, run_stream)
        return run_stream

    def _open_run_stream(
        self,
        queued: CreatedRun | Submission,
        opening: Sequence[Event],
        include: Sequence[str] = (),
        *,
        has_reader: bool = True,
    ) -> RunStream:
        """A way into the run's log, with what searches found for those who asked for it (A77)."""
        hides_content = not include and has_optional_content(queued.run["tools"])
        run_stream = RunStream(
            self._ctx.event_logs.open_for_turn(queued.run["id"]),
            self._ctx.limits.stream_buffer_events,
            has_reader=has_reader,
            transform=strip_event_search_content if hides_content else None,
        )
        run_stream.publish(opening)
        return run_stream

    def _submit_to_executor(self, queued: CreatedRun | Submission, run_stream: RunStream | None) -> None:
        self._executor.submit(queued.run["id"], start=queued.turn, run_stream=run_stream)


def _build_opening_events(run: Wire) -> tuple[Event, Event]:
    """`created` and `queued` carry the same object (A90)."""
    data = build_streamed_run(run)
    return Event("thread.run.created", data), Event("thread.run.queued", data)


def _build_resumption_events(submission: Submission) -> tuple[Event, Event]:
    """The step that got its outputs, and the run, queued again (A91)."""
    run = submission.run
    return build_step_event(submission.step, run["expires_at"]), build_run_event(run)
