"""The container a thread's code runs in: reused while it lives, made anew with its files when it is gone (§4, G4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from threadbridge.errors import UpstreamError
from threadbridge.logs import logger
from threadbridge.ports import Blobs, Clock, Session, Store, Upstream, Wire
from threadbridge.service import containers, generated_files
from threadbridge.service.containers import ThreadContainer

_log = logger("threadbridge.files")

#: Statuses that say the service has no containers of its own (S12): then each response gets a fresh one.
_NO_CONTAINERS = frozenset({404, 405, 501})
#: Statuses with which a container that is gone refuses a file.
_GONE = frozenset({400, 404})
_EXPIRY: Wire = {"anchor": "last_active_at", "minutes": 20}
_PAGE = 100
#: Pages of a container's files that are looked through.
_MOST_PAGES = 10


@dataclass(frozen=True, slots=True)
class Containers:
    """The containers of one tenant's threads."""

    tenant: str
    store: Store
    upstream: Upstream
    blobs: Blobs
    clock: Clock

    async def ready(self, thread_id: str, held: ThreadContainer | None, file_ids: Sequence[str]) -> str | None:
        """The id of a container that has these files; None where the service has none to give.

        Whether a held one still lives is not asked: a request for each turn, for what happens once in twenty minutes.
        """
        if held is None:
            return await self.replaced(thread_id, file_ids)
        missing = [file_id for file_id in file_ids if file_id not in held.file_ids]
        try:
            for file_id in missing:
                await self._put(held.container_id, file_id)
        except UpstreamError as error:
            if error.status not in _GONE:
                raise
            return await self.replaced(thread_id, file_ids)
        if missing:
            await self._hold(thread_id, ThreadContainer(held.container_id, (*held.file_ids, *missing), held.made))
        return held.container_id

    async def replaced(self, thread_id: str, file_ids: Sequence[str]) -> str | None:
        """The id of a new container with these files. The state of the old one is lost."""
        try:
            made = await self.upstream.call("POST", "/containers", {"name": thread_id, "expires_after": _EXPIRY})
        except UpstreamError as error:
            if error.status in _NO_CONTAINERS:
                return None
            raise
        container_id = str(made["id"])
        for file_id in file_ids:
            await self._put(container_id, file_id)
        await self._hold(thread_id, ThreadContainer(container_id, tuple(file_ids)))
        return container_id

    async def files(self, container_id: str) -> Sequence[Wire]:
        """What lies in the container; nothing where the service does not tell."""
        found: list[Wire] = []
        after = ""
        for _ in range(_MOST_PAGES):
            try:
                page = await self.upstream.call("GET", f"/containers/{container_id}/files?limit={_PAGE}{after}")
            except UpstreamError as error:
                _log.warning("could not list a container's files", container_id=container_id, error=error.message)
                return found
            found += page.get("data") or []
            if not page.get("has_more") or not found:
                return found
            after = f"&after={found[-1]['id']}"
        return found

    async def _put(self, container_id: str, file_id: str) -> None:
        path = f"/containers/{container_id}/files"
        own = await self.store.read(lambda session: _own(session, file_id), tenant=self.tenant)
        if own is None:
            await self.upstream.call("POST", path, {"file_id": file_id})
            return
        filename, blob = own
        content: AsyncIterator[bytes] = self.blobs.read(blob)
        await self.upstream.upload(path, filename=filename, content=content, fields={})

    async def _hold(self, thread_id: str, container: ThreadContainer) -> None:
        now = int(self.clock.now())
        await self.store.write(
            lambda session: containers.put(session, thread_id, container, now=now), tenant=self.tenant
        )


def _own(session: Session, file_id: str) -> tuple[str, str] | None:
    file, blob = generated_files.retrieve(session, file_id), generated_files.blob_of(session, file_id)
    return None if file is None or blob is None else (file["filename"], blob)
