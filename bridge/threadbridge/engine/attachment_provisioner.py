"""Does at the service behind what a request needs before it is written, and undoes it where it never is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from threadbridge.errors import BridgeError, InvalidRequest, NotFound, RequestError, UpstreamError, UpstreamTimeout
from threadbridge.logs import logger
from threadbridge.ports import Blobs, Clock, Kind, NewId, Session, Store, Upstream, Wire
from threadbridge.service import cleanup_intents, generated_files
from threadbridge.service.attachments import Needs, NewStore, Supplied
from threadbridge.settings import Limits

T = TypeVar("T")

_log = logger("threadbridge.files")

#: Before its errand's id, the name of a store that was made for a request.
_NAMED = "threadbridge-"
_PAGE = 100
#: How far the service's clock may be behind ours.
_CLOCKS_DIFFER_SECONDS = 600
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
    limits: Limits

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

    async def undo(self, errand_id: str) -> None:
        """Remove what the errand made. What cannot be removed now is left to the next look."""
        row = await self.write(lambda session: cleanup_intents.condemned(session, errand_id))
        if row is None:
            return
        _log.info("undoing what a request that was never written left behind", errand_id=errand_id)
        try:
            await self._undo(row)
        except UpstreamError as error:
            _log.warning("could not undo an errand", errand_id=errand_id, error=error.message)
            return
        await self.write(lambda session: session.remove(Kind.ERRAND, errand_id))

    async def write(self, work: Callable[[Session], T]) -> T:
        """A transaction of the tenant's."""
        return await self.store.write(work, tenant=self.tenant)

    async def _undo(self, row: Wire) -> None:
        for file_id in row["added"]:
            await self._remove(f"/vector_stores/{row['store']}/files/{file_id}")
        for store_id in await self._made(row):
            await self._remove(f"/vector_stores/{store_id}")
        for file_id in row["uploaded"]:
            await self._remove(f"/files/{file_id}")

    async def _made(self, row: Wire) -> Sequence[str]:
        """The store that was made, found by its name where the process died before it could write the id down."""
        if row["name"] is None:
            return []
        if row["store"] is not None:
            return [row["store"]]
        after = ""
        while True:
            page = await self.upstream.call("GET", f"/vector_stores?limit={_PAGE}{after}")
            newer = [
                store for store in page["data"] if store["created_at"] >= row["created_at"] - _CLOCKS_DIFFER_SECONDS
            ]
            found = [store["id"] for store in newer if store.get("name") == row["name"]]
            if found or len(newer) < len(page["data"]) or not page.get("has_more"):
                return found
            after = f"&after={newer[-1]['id']}"

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
        self._row: Wire = {
            "id": supplier.new_id("errand"),
            "created_at": int(supplier.clock.now()),
            "name": None,
            "store": None,
            "added": [],
            "uploaded": [],
        }
        self._noted = False

    async def run(self) -> Supplied:
        seconds = self._supplier.limits.supply_seconds
        try:
            async with asyncio.timeout(seconds):
                return await self._stored(await self._found())
        except UpstreamError as error:
            raise refusal_of(error) from error
        except TimeoutError as exc:
            raise UpstreamTimeout(
                f"What the request attaches was not where tools find it within {seconds:g} seconds "
                "(limits.supply_seconds). Nothing was changed."
            ) from exc

    async def undo(self) -> None:
        if self._noted:
            try:
                await self._supplier.undo(self._row["id"])
            except BridgeError as error:  # the sweep will try again
                _log.warning("could not undo an errand", errand_id=self._row["id"], error=error.message)

    async def _found(self) -> dict[str, str]:
        """The files, each with the id under which the service knows it. Raises where one is not there."""
        asked = dict.fromkeys((*self._needs.search, *self._needs.there))
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
            return generated_files.retrieve(session, file_id), generated_files.blob_of(session, file_id)

        own, blob = await self._supplier.store.read(look, tenant=self._supplier.tenant)
        if own is None or blob is None:
            raise NotFound(f"No such File object: {file_id}", param="id")
        if file_id not in self._needs.search:
            return file_id
        content = self._supplier.blobs.read(blob)
        fields = {"purpose": "assistants"}
        uploaded = await self._upstream.upload("/files", filename=own["filename"], content=content, fields=fields)
        await self._note(uploaded=[*self._row["uploaded"], str(uploaded["id"])])
        return str(uploaded["id"])

    async def _stored(self, known: dict[str, str]) -> Supplied:
        store, new = self._needs.store, self._needs.new_store
        wanted = {known[file_id]: file_id for file_id in self._needs.search}
        if new is not None:
            return await self._made(new, wanted)
        if store is None:
            return Supplied()
        adding = {each: named for each, named in wanted.items() if not await self._holds(store, each)}
        if not adding:
            return Supplied(store)
        await self._note(store=store, added=list(adding))
        await self._add(store, adding, {})
        return Supplied(store, self._row["id"])

    async def _made(self, new: NewStore, wanted: Mapping[str, str]) -> Supplied:
        """A new store with these files. Its name is written down before it is made, its id afterwards."""
        name = f"{_NAMED}{self._row['id']}"
        await self._note(name=name)
        store = str((await self._upstream.call("POST", "/vector_stores", {"name": name, **new.body}))["id"])
        await self._note(store=store)
        await self._add(store, wanted, {"chunking_strategy": new.chunking_strategy} if new.chunking_strategy else {})
        return Supplied(store, self._row["id"])

    async def _holds(self, store: str, file_id: str) -> bool:
        try:
            await self._upstream.call("GET", f"/vector_stores/{store}/files/{file_id}")
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    async def _note(self, **learned: object) -> None:
        row = self._row = {**self._row, **learned}
        self._noted = True
        await self._supplier.write(lambda session: cleanup_intents.note(session, row))

    async def _add(self, store: str, wanted: Mapping[str, str], chunking: Wire) -> None:
        """Put files into a store. One that is a copy says of which file, and answers cite that one (S8)."""
        for file_id, named in wanted.items():
            attributes = {"attributes": {"file_id": named}} if named != file_id else {}
            body = {"file_id": file_id, **attributes, **chunking}
            await self._upstream.call("POST", f"/vector_stores/{store}/files", body)


def refusal_of(error: UpstreamError) -> BridgeError:
    """What the service refuses is the caller's fault, in the service's words; anything else is the service's."""
    if error.status not in _REFUSALS or error.status in _NOT_THE_CALLERS_FAULT:
        return error
    refusal: type[RequestError] = NotFound if error.status == _NOT_FOUND else InvalidRequest
    return refusal(error.message, param=error.param, code=error.code, request_id=error.request_id)
