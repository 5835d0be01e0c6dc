"""Looks after the errands of a tenant: what was begun elsewhere and no row came to name is undone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from threadbridge.engine.context import EngineContext
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import ObjectKind, Wire
from threadbridge.service import cleanup_intents, generated_files

_log = get_logger("threadbridge.run")

_PAGE_SIZE = 100
_NOT_FOUND = 404


class CleanupSweeper:
    """The errands of one tenant, looked after by every process that performs its runs."""

    def __init__(self, ctx: EngineContext) -> None:
        self._ctx = ctx
        self._last_tidy_at = 0.0

    async def sweep(self) -> None:
        """Undo what processes that are gone left behind, and remove the contents of files that were deleted.

        Raises BridgeError; what is left then is for the next look.
        """
        now, limits = self._ctx.clock.now(), self._ctx.limits
        abandoned_seconds = cleanup_intents.compute_cleanup_delay(limits)
        if now - self._last_tidy_at > abandoned_seconds:
            self._last_tidy_at = now
            await self._ctx.blobs.delete_abandoned_uploads(idle_seconds=abandoned_seconds)
        async for intent in self._iterate_intents():
            if cleanup_intents.is_cleanup_due(intent, limits, now):
                await self._try_clean_up(intent)

    async def _iterate_intents(self) -> AsyncIterator[Wire]:
        after: str | None = None
        while True:
            page = await self._load_page(after)
            for intent in page:
                yield intent
            if len(page) < _PAGE_SIZE:
                return
            after = page[-1]["id"]

    async def _load_page(self, after: str | None) -> list[Wire]:
        page = await self._ctx.store.read(
            lambda session: session.get_page(ObjectKind.CLEANUP_INTENT, limit=_PAGE_SIZE, order="asc", after=after),
            tenant=self._ctx.tenant,
        )
        return list(page.data)

    async def _try_clean_up(self, intent: Wire) -> None:
        try:
            await self._clean_up(intent)
        except BridgeError as error:  # the others do not wait for it
            _log.warning("could not undo an errand", errand_id=intent["id"], error=error.message)

    async def _clean_up(self, intent: Wire) -> None:
        intent_id = intent["id"]
        if "conversation_at" in intent:
            await self._delete_conversation(intent_id, service=intent["conversation_at"])
            return
        if "blob" not in intent:
            await self._ctx.attachment_provisioner.undo(intent_id)
            return
        if await self._ctx.write(lambda session, _: generated_files.start_blob_cleanup(session, intent_id)):
            await self._ctx.blobs.delete(intent_id)
            await self._ctx.write(lambda session, _: session.remove(ObjectKind.CLEANUP_INTENT, intent_id))

    async def _delete_conversation(self, conversation_id: str, *, service: str) -> None:
        """What cannot be deleted now, or is at a service that is not asked now, is left to a later look."""
        if service != self._ctx.rules.continuation.service:
            return
        if await self._ctx.write(lambda session, _: cleanup_intents.start_cleanup(session, conversation_id)) is None:
            return
        try:
            await self._ctx.upstream.request("DELETE", f"/conversations/{conversation_id}")
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                _log.warning(
                    "a conversation could not be deleted", conversation_id=conversation_id, error=error.message
                )
                return
        await self._ctx.write(lambda session, _: session.remove(ObjectKind.CLEANUP_INTENT, conversation_id))
