"""Periodic sweeps: runs without a lease are submitted again, and cleanup intents are carried out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

from threadbridge.api_types import JsonMapping
from threadbridge.engine.context import EngineContext
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import Executor, ObjectKind, Page, RunReference, Session, build_path
from threadbridge.service import cleanup_intents, generated_files
from threadbridge.service.cleanup_intents import CleanupIntent

_log = get_logger("threadbridge.run")

#: Intents, runs or tenants that one read lists.
_PAGE_SIZE = 100
_NOT_FOUND = 404


class CleanupSweeper:
    """The cleanup intents of one tenant. Every process that performs runs of the tenant sweeps them."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx
        self._last_tidy_at = 0.0

    async def sweep(self) -> None:
        """Delete what requests of ended processes created upstream, and the contents of deleted files.

        Raises BridgeError; the next sweep continues.
        """
        now, limits = self._ctx.clock.now(), self._ctx.limits
        abandoned_seconds = cleanup_intents.compute_cleanup_delay(limits)
        if now - self._last_tidy_at > abandoned_seconds:
            self._last_tidy_at = now
            await self._ctx.blobs.delete_abandoned_uploads(idle_seconds=abandoned_seconds)
        after: str | None = None

        def read_page(session: Session) -> Page[JsonMapping]:
            return session.get_page(ObjectKind.CLEANUP_INTENT, limit=_PAGE_SIZE, order="asc", after=after)

        has_more = True
        while has_more:
            page = await self._ctx.store.read(read_page, tenant=self._ctx.tenant)
            for row in page.data:
                intent = cast("CleanupIntent", row)
                after = intent["id"]
                if not cleanup_intents.is_cleanup_due(intent, limits, now):
                    continue
                try:
                    await self._clean_up(intent)
                except BridgeError as error:  # the other intents do not depend on it
                    _log.warning("could not carry out a cleanup intent", intent_id=after, error=error.message)
            has_more = len(page.data) == _PAGE_SIZE

    async def _clean_up(self, intent: CleanupIntent) -> None:
        intent_id = intent["id"]
        if "conversation_at" in intent:
            await self._delete_conversation(intent_id, service=intent["conversation_at"])
            return
        if "blob" not in intent:
            await self._ctx.attachment_provisioner.undo(intent_id)
            return
        if await self._ctx.store.write(
            lambda session: generated_files.start_blob_cleanup(session, intent_id), tenant=self._ctx.tenant
        ):
            await self._ctx.blobs.delete(intent_id)
            await self._ctx.store.write(
                lambda session: session.remove(ObjectKind.CLEANUP_INTENT, intent_id), tenant=self._ctx.tenant
            )

    async def _delete_conversation(self, conversation_id: str, *, service: str) -> None:
        """Delete it at its service. If that fails, or another service is configured now, a later sweep tries again."""
        if service != self._ctx.rules.continuation.service:
            return
        if (
            await self._ctx.store.write(
                lambda session: cleanup_intents.start_cleanup(session, conversation_id), tenant=self._ctx.tenant
            )
            is None
        ):
            return
        try:
            await self._ctx.upstream.request("DELETE", build_path("conversations", conversation_id))
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                _log.warning("could not delete a conversation", conversation_id=conversation_id, error=error.message)
                return
        await self._ctx.store.write(
            lambda session: session.remove(ObjectKind.CLEANUP_INTENT, conversation_id), tenant=self._ctx.tenant
        )


class RunSweeper:
    """Sweeps all tenants of the store immediately, and then repeatedly after the length of a lease."""

    def __init__(self, ctx: EngineContext, executor: Executor) -> None:
        self._ctx = ctx
        self._executor = executor
        self._cleanup_sweepers: dict[str, CleanupSweeper] = {}  # by tenant
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start sweeping. A process that performs no runs does not."""
        self._task = asyncio.ensure_future(self._sweep_periodically())

    @property
    def is_running(self) -> bool:
        """Whether this process recovers runs."""
        return self._task is not None

    async def stop(self) -> None:
        """Stop sweeping."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _sweep_periodically(self) -> None:
        while True:
            self._ctx.event_bus.discard_expired()
            async for tenant in self._iterate_tenants():
                ctx = self._ctx.for_tenant(tenant)
                after: str | None = None
                has_more = True
                while has_more:
                    try:
                        run_ids = await ctx.list_unfinished_runs(after=after, limit=_PAGE_SIZE)
                    except BridgeError as error:  # the store may answer at the next sweep
                        _log.error("could not list runs without a lease", error=error.message)
                        break
                    for run_id in run_ids:
                        _log.info("recovering a run without a lease", run_id=run_id)
                        self._executor.submit(RunReference(ctx.tenant, run_id))
                        after = run_id
                    has_more = len(run_ids) == _PAGE_SIZE
                sweeper = self._cleanup_sweepers.setdefault(ctx.tenant, CleanupSweeper(ctx))
                try:
                    await sweeper.sweep()
                except BridgeError as error:
                    _log.error("could not list cleanup intents", error=error.message)
            await self._ctx.clock.sleep(self._ctx.limits.lease_seconds)

    async def _iterate_tenants(self) -> AsyncIterator[str]:
        """The tenant of the settings, whose sweep also removes abandoned uploads, and all tenants with open work."""
        yield self._ctx.tenant
        after: str | None = None
        while True:
            try:
                tenants = await self._ctx.list_tenants_to_sweep(after=after, limit=_PAGE_SIZE)
            except BridgeError as error:  # the store may answer at the next sweep
                _log.error("could not list the tenants to sweep", error=error.message)
                return
            for tenant in tenants:
                if tenant != self._ctx.tenant:
                    yield tenant
            if len(tenants) < _PAGE_SIZE:
                return
            after = tenants[-1]
