"""Transactions of requests: each reads or writes the store once; a repeated request is answered from its record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from functools import partial
from typing import Final, TypeAlias, TypeVar

from threadbridge.api_types import (
    JsonMapping,
)
from threadbridge.context_window.history_selector import TokenizerNotLoaded
from threadbridge.engine.context import Decision, EngineContext
from threadbridge.engine.inline_executor import LocalTurns
from threadbridge.engine.thread_queue import ThreadQueue
from threadbridge.logs import get_logger
from threadbridge.ports import (
    ObjectKind,
    RecordedRequest,
    RequestContext,
    Session,
)
from threadbridge.service import attachments, threads
from threadbridge.service.attachments import Provisioned, ProvisioningPlan
from threadbridge.service.queries import ThreadNotFound
from threadbridge.service.request_records import (
    AnsweredObject,
    ReceivedRequest,
    RequestRepeated,
    find_record,
    perform_once,
)
from threadbridge.service.run_state import RunOverdue, end_overdue_run, may_be_unlocked
from threadbridge.service.runs import CreatedRun, Submission
from threadbridge.settings import Limits, UnknownCursorPolicy

_log = get_logger("threadbridge.threads")

T = TypeVar("T")
ThreadProvisioningPlanner: TypeAlias = Callable[[Session, Limits, str, JsonMapping], ProvisioningPlan]
Queued = TypeVar("Queued", CreatedRun, Submission)


#: For requests that need nothing upstream. It has no state, so all of them share it.
_NOTHING_PROVISIONED: Final[AbstractAsyncContextManager[None]] = nullcontext()


class RequestTransactions:
    """The operations of a backend over one store: each is one decision of the service in one transaction."""

    def __init__(self, ctx: EngineContext, local_turns: LocalTurns) -> None:
        self._ctx = ctx
        self._local_turns = local_turns
        self._unknown_cursor: UnknownCursorPolicy = ctx.policies.unknown_cursor
        self._thread_queue = ThreadQueue(
            ctx.clock,
            max_waiting=ctx.limits.busy_waiting_requests if ctx.policies.busy_thread == "queue" else 0,
            wait_seconds=ctx.limits.busy_wait_seconds,
        )

    def _get_ctx(self, context: RequestContext) -> EngineContext:
        return self._ctx.for_tenant(context.tenant)

    async def _read(self, context: RequestContext, work: Callable[[Session], T]) -> T:
        """What the store holds. A run that is past its deadline is ended first (A60)."""
        while True:
            try:
                return await self._ctx.store.read(work, tenant=context.tenant)
            except RunOverdue as overdue:
                await self._write(context, partial(end_overdue_run, run_id=overdue.run_id))
            except ThreadNotFound as error:
                await self._adopt_thread(context, error)

    def _write(self, context: RequestContext, decide: Decision[T], body: JsonMapping | None = None) -> Awaitable[T]:
        ctx = self._ctx.for_tenant(context.tenant)
        if self._ctx.thread_adoption is None:
            return ctx.write(decide, body=body)
        return self._adopt_and_repeat(context, lambda: ctx.write(decide, body=body))

    async def _adopt_and_repeat(self, context: RequestContext, attempt: Callable[[], Awaitable[T]]) -> T:
        """A transaction; if its thread is unknown and may be adopted, the same on the new empty thread."""
        while True:
            try:
                return await attempt()
            except ThreadNotFound as error:
                await self._adopt_thread(context, error)

    async def _adopt_thread(self, context: RequestContext, error: ThreadNotFound) -> None:
        """Create the unknown thread (D120). Raises the error if it may not be adopted."""
        rule = self._ctx.thread_adoption
        if rule is None or not rule.accepts(error.thread_id):
            raise error
        if not await self._get_ctx(context).write(partial(threads.adopt, thread_id=error.thread_id)):
            raise error
        _log.warning(
            "adopted an unknown thread id as an empty thread; what was said in it is not known here",
            thread_id=error.thread_id,
        )

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
        if plan is None:
            return _NOTHING_PROVISIONED
        possible_plan = attachments.restrict_to_capabilities(plan, self._ctx.rules.profile)
        return self._get_ctx(context).attachment_provisioner.provision(possible_plan)

    def _run_when_thread_free(
        self, context: RequestContext, thread_id: str, attempt: Callable[[], Awaitable[T]]
    ) -> Awaitable[T]:
        """A transaction that a busy thread refuses, or takes later if requests may wait for it."""

        def is_free() -> Awaitable[bool]:
            return self._read(context, partial(may_be_unlocked, now=self._ctx.clock.now(), thread_id=thread_id))

        return self._thread_queue.run_when_free(
            attempt, thread_id=thread_id, is_free=is_free, deadline=context.deadline
        )

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
                except ThreadNotFound as error:
                    await self._adopt_thread(context, error)
            if isinstance(queued, RecordedRequest):
                raise RequestRepeated(queued)
            turn_started = queued.turn is not None
        finally:
            if has_slot and not turn_started:
                self._local_turns.release_slot()
        return queued
