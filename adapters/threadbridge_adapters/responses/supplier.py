"""Does at the service behind what a request needs before it is written, and undoes it where it never is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from threadbridge.emulation import files
from threadbridge.emulation.supplies import Needs, NewStore, Supplied
from threadbridge.errors import BridgeError, InvalidRequest, NotFound, RequestError, UpstreamError
from threadbridge.ports import Blobs, Clock, Kind, NewId, Session, Store, Upstream, Wire
from threadbridge_adapters.logs import logger

_log = logger("threadbridge.files")

#: An errand this old belongs to a process that is gone: requests take seconds.
_ABANDONED_AFTER_SECONDS = 120
_ERRANDS_AT_ONCE = 100
_NOT_FOUND = 404
_REFUSALS = range(400, 500)
_NOT_THE_CALLERS_FAULT = frozenset({401, 403, 408, 429})


@dataclass(frozen=True, slots=True)
class Supplier:
    """Makes stores and puts files into them, at the service behind. An errand in the store says what to undo."""

    tenant: str
    store: Store
    upstream: Upstream
    blobs: Blobs
    clock: Clock
    new_id: NewId

    @asynccontextmanager
    async def supplied(self, needs: Needs | None) -> AsyncGenerator[Supplied | None]:
        """What is needed, done; undone where the block raises. The block's transaction ends the errand.

        Raises NotFound for a file that is not there (A102), InvalidRequest for one the service refuses.
        """
        if needs is None or needs == Needs():
            yield None
            return
        errand = _Errand(self, needs)
        try:
            yield await errand.run()
        except BaseException:
            await asyncio.shield(errand.undo())
            raise

    async def clean_up(self) -> None:
        """Undo what processes that are gone left behind."""
        long_ago = self.clock.now() - _ABANDONED_AFTER_SECONDS
        page = await self.store.read(
            lambda session: session.page(Kind.ERRAND, limit=_ERRANDS_AT_ONCE, order="asc"), tenant=self.tenant
        )
        for row in page.data:
            if row["created_at"] <= long_ago:
                _log.info("undoing what a request that was never written left behind", errand_id=row["id"])
                await self.undo(row)

    async def undo(self, row: Wire) -> None:
        """Remove what the errand made. One that cannot be undone now stays for the next look."""
        try:
            if row["new"]:
                await self._remove(f"/vector_stores/{row['store']}")
            for file_id in row["added"]:
                await self._remove(f"/vector_stores/{row['store']}/files/{file_id}")
        except UpstreamError as error:
            _log.warning("could not undo an errand", errand_id=row["id"], error=error.message)
            return
        await self.store.write(lambda session: session.remove(Kind.ERRAND, row["id"]), tenant=self.tenant)

    async def _remove(self, path: str) -> None:
        try:
            await self.upstream.call("DELETE", path)
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                raise


class _Errand:
    """One request's needs."""

    def __init__(self, supplier: Supplier, needs: Needs) -> None:
        self._supplier = supplier
        self._needs = needs
        self._upstream = supplier.upstream
        self._row: Wire | None = None

    async def run(self) -> Supplied:
        try:
            uploaded = await self._found()
            return await self._stored(uploaded)
        except UpstreamError as error:
            raise refusal_of(error) from error

    async def undo(self) -> None:
        if self._row is not None:
            try:
                await self._supplier.undo(self._row)
            except BridgeError as error:  # the sweep will try again
                _log.warning("could not undo an errand", errand_id=self._row["id"], error=error.message)

    async def _found(self) -> dict[str, str]:
        """The ids under which the service knows the files to be searched. Raises where one is not there."""
        asked = dict.fromkeys((*self._needs.search, *self._needs.code))
        known = await asyncio.gather(*(self._known(file_id) for file_id in asked))
        return dict(zip(asked, known, strict=True))

    async def _known(self, file_id: str) -> str:
        try:
            await self._upstream.call("GET", f"/files/{file_id}")
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                raise
            return await self._own(file_id)
        return file_id

    async def _own(self, file_id: str) -> str:
        """A file that code made is ours: to be searched, the service needs it too."""

        def look(session: Session) -> tuple[Wire | None, str | None]:
            return files.retrieve(session, file_id), files.blob_of(session, file_id)

        own, blob = await self._supplier.store.read(look, tenant=self._supplier.tenant)
        if own is None or blob is None:
            raise NotFound(f"No such File object: {file_id}", param="id")
        if file_id not in self._needs.search:
            return file_id
        content = self._supplier.blobs.read(blob)
        fields = {"purpose": "assistants"}
        uploaded = await self._upstream.upload("/files", filename=own["filename"], content=content, fields=fields)
        return str(uploaded["id"])

    async def _stored(self, known: dict[str, str]) -> Supplied:
        store, new = self._needs.store, self._needs.new_store
        if new is not None:
            store = str((await self._upstream.call("POST", "/vector_stores", new.body))["id"])
        if store is None:
            return Supplied()
        wanted = [known[file_id] for file_id in self._needs.search]
        adding = wanted if new is not None else [each for each in wanted if not await self._holds(store, each)]
        if new is None and not adding:
            return Supplied(store)
        row = await self._noted(store, adding if new is None else [], new=new is not None)
        await self._add(store, adding, new)
        return Supplied(store, row["id"])

    async def _holds(self, store: str, file_id: str) -> bool:
        try:
            await self._upstream.call("GET", f"/vector_stores/{store}/files/{file_id}")
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    async def _noted(self, store: str, added: list[str], *, new: bool) -> Wire:
        supplier = self._supplier
        row: Wire = {
            "id": supplier.new_id("errand"),
            "created_at": int(supplier.clock.now()),
            "store": store,
            "new": new,
            "added": added,
        }
        self._row = row
        await supplier.store.write(lambda session: session.add(Kind.ERRAND, row), tenant=supplier.tenant)
        return row

    async def _add(self, store: str, file_ids: list[str], new: NewStore | None) -> None:
        chunking = {"chunking_strategy": new.chunking_strategy} if new is not None and new.chunking_strategy else {}
        for file_id in file_ids:
            await self._upstream.call("POST", f"/vector_stores/{store}/files", {"file_id": file_id, **chunking})


def refusal_of(error: UpstreamError) -> BridgeError:
    """What the service refuses is the caller's fault, in the service's words; anything else is the service's."""
    if error.status not in _REFUSALS or error.status in _NOT_THE_CALLERS_FAULT:
        return error
    refusal: type[RequestError] = NotFound if error.status == _NOT_FOUND else InvalidRequest
    return refusal(error.message, param=error.param, code=error.code, request_id=error.request_id)
