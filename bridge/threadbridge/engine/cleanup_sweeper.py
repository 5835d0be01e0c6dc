"""Looks after the errands of a tenant: what was begun elsewhere and no row came to name is undone."""

from __future__ import annotations

from collections.abc import AsyncIterator

from threadbridge.engine.context import Workplace
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.logs import logger
from threadbridge.ports import Kind, Wire
from threadbridge.service import blob_references, cleanup_intents

_log = logger("threadbridge.run")

_AT_ONCE = 100
_NOT_FOUND = 404


class Errands:
    """The errands of one tenant, looked after by every process that performs its runs."""

    def __init__(self, place: Workplace) -> None:
        self._place = place
        self._tidied = 0.0

    async def clean_up(self) -> None:
        """Undo what processes that are gone left behind, and remove the contents of files that were deleted.

        Raises BridgeError; what is left then is for the next look.
        """
        now, limits = self._place.clock.now(), self._place.limits
        patience = cleanup_intents.patience(limits)
        if now - self._tidied > patience:
            self._tidied = now
            await self._place.blobs.tidy(idle_seconds=patience)
        async for errand in self._every():
            if cleanup_intents.is_due(errand, limits, now):
                await self._try_to_undo(errand)

    async def _every(self) -> AsyncIterator[Wire]:
        after: str | None = None
        while True:
            page = await self._page(after)
            for errand in page:
                yield errand
            if len(page) < _AT_ONCE:
                return
            after = page[-1]["id"]

    async def _page(self, after: str | None) -> list[Wire]:
        page = await self._place.store.read(
            lambda session: session.page(Kind.ERRAND, limit=_AT_ONCE, order="asc", after=after),
            tenant=self._place.tenant,
        )
        return list(page.data)

    async def _try_to_undo(self, errand: Wire) -> None:
        try:
            await self._undo(errand)
        except BridgeError as error:  # the others do not wait for it
            _log.warning("could not undo an errand", errand_id=errand["id"], error=error.message)

    async def _undo(self, errand: Wire) -> None:
        name = errand["id"]
        if "conversation_at" in errand:
            await self._delete_conversation(name, at=errand["conversation_at"])
            return
        if "blob" not in errand:
            await self._place.supplier.undo(name)
            return
        if await self._place.write(lambda session, _: blob_references.condemned(session, name)):
            await self._place.blobs.forget(name)
            await self._place.write(lambda session, _: session.remove(Kind.ERRAND, name))

    async def _delete_conversation(self, name: str, *, at: str) -> None:
        """What cannot be deleted now, or is at a service that is not asked now, is left to a later look."""
        if at != self._place.rules.state.service:
            return
        if await self._place.write(lambda session, _: cleanup_intents.condemned(session, name)) is None:
            return
        try:
            await self._place.upstream.call("DELETE", f"/conversations/{name}")
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                _log.warning("a conversation could not be deleted", conversation_id=name, error=error.message)
                return
        await self._place.write(lambda session, _: session.remove(Kind.ERRAND, name))
