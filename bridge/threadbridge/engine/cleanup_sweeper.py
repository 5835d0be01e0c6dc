"""Carries out the cleanup intents of a tenant: deletes upstream resources and blobs that no stored object names."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import cast

from threadbridge.api_types import JsonMapping
from threadbridge.engine.context import EngineContext
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import ObjectKind, Page, Session, build_path
from threadbridge.service import cleanup_intents, generated_files
from threadbridge.service.cleanup_intents import CleanupIntent

_log = get_logger("threadbridge.run")

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
        async for intent in self._iterate_intents():
            if cleanup_intents.is_cleanup_due(intent, limits, now):
                await self._try_clean_up(intent)

    async def _iterate_intents(self) -> AsyncIterator[CleanupIntent]:
        after: str | None = None

        def read_page(session: Session) -> Page[JsonMapping]:
            return session.get_page(ObjectKind.CLEANUP_INTENT, limit=_PAGE_SIZE, order="asc", after=after)

        while True:
            page = await self._ctx.store.read(read_page, tenant=self._ctx.tenant)
            for intent in page.data:
                yield cast("CleanupIntent", intent)
            if len(page.data) < _PAGE_SIZE:
                return
            after = page.data[-1]["id"]

    async def _try_clean_up(self, intent: CleanupIntent) -> None:
        try:
            await self._clean_up(intent)
        except BridgeError as error:  # the other intents do not depend on it
            _log.warning("could not carry out a cleanup intent", intent_id=intent["id"], error=error.message)

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
