"""The container of a thread: reused while it exists, recreated with its files after it expired (§4, G4)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from threadbridge.api_types import JsonObject
from threadbridge.errors import UpstreamError
from threadbridge.logs import get_logger
from threadbridge.ports import BlobStore, Clock, Session, Store, Upstream, WarningSink, build_path
from threadbridge.service import generated_files, tool_resources
from threadbridge.service.generated_files import FileObject
from threadbridge.service.tool_resources import ThreadContainer

_log = get_logger("threadbridge.files")

#: Statuses that say the service has no containers of its own (S12): then each response gets a fresh one.
_UNSUPPORTED_STATUSES = frozenset({404, 405, 501})
#: Statuses with which the service rejects a file: the container is gone, or the file is.
_REJECTED_STATUSES = frozenset({400, 404})
_EXPIRES_AFTER: JsonObject = {"anchor": "last_active_at", "minutes": 20}
_PAGE_SIZE = 100
#: Pages of a container's files that are looked through.
_MAX_PAGES = 10


def format_missing_file_warning(file_id: str, reason: str) -> str:
    """The warning about a file that a container lacks, one sentence."""
    return f"The code interpreter works without the file {file_id}, which the service rejected: {reason}"


@dataclass(frozen=True, slots=True)
class ContainerProvisioner:
    """The containers of one tenant's threads.

    A file that the service does not have any more is left out with a warning. It counts as one of the container's, so
    that it is not requested for every turn.
    """

    tenant: str
    store: Store
    upstream: Upstream
    blobs: BlobStore
    clock: Clock

    async def ensure_container(
        self, thread_id: str, current: ThreadContainer | None, file_ids: Sequence[str], *, warn: WarningSink
    ) -> str | None:
        """The id of a container that has these files; None where the service has none to give.

        Does not check whether the current one still exists: it expires rarely, and a check would be a request per turn.
        """
        if current is None:
            return await self.replace_container(thread_id, file_ids, warn=warn)
        missing = [file_id for file_id in file_ids if file_id not in current.file_ids]
        for file_id in missing:
            try:
                await self._add_file(current.container_id, file_id)
            except UpstreamError as error:
                if error.status not in _REJECTED_STATUSES:
                    raise
                if file_id not in error.message:  # the container is gone, as far as the service says
                    return await self.replace_container(thread_id, file_ids, warn=warn)
                warn(format_missing_file_warning(file_id, error.message))
        if missing:
            await self._save_container(
                thread_id,
                ThreadContainer(current.container_id, (*current.file_ids, *missing), current.generated_file_ids),
            )
        return current.container_id

    async def replace_container(self, thread_id: str, file_ids: Sequence[str], *, warn: WarningSink) -> str | None:
        """The id of a new container with these files. The state of the old one is lost."""
        try:
            created = await self.upstream.request(
                "POST", "/containers", {"name": thread_id, "expires_after": _EXPIRES_AFTER}
            )
        except UpstreamError as error:
            if error.status in _UNSUPPORTED_STATUSES:
                return None
            raise
        container_id = str(created["id"])
        for file_id in file_ids:
            try:
                await self._add_file(container_id, file_id)
            except UpstreamError as error:
                if error.status not in _REJECTED_STATUSES:
                    raise
                warn(format_missing_file_warning(file_id, error.message))
        await self._save_container(thread_id, ThreadContainer(container_id, tuple(file_ids)))
        return container_id

    async def list_files(self, container_id: str) -> Sequence[JsonObject]:
        """The files in the container; none if the service does not list them."""
        container_files: list[JsonObject] = []
        after: str | None = None
        for _ in range(_MAX_PAGES):
            try:
                path = build_path("containers", container_id, "files", limit=_PAGE_SIZE, after=after)
                page = await self.upstream.request("GET", path)
            except UpstreamError as error:
                _log.warning("could not list a container's files", container_id=container_id, error=error.message)
                return container_files
            container_files += page.get("data") or []
            if not page.get("has_more") or not container_files:
                return container_files
            after = str(container_files[-1]["id"])
        return container_files

    async def _add_file(self, container_id: str, file_id: str) -> None:
        path = build_path("containers", container_id, "files")

        def find_file(session: Session) -> tuple[FileObject | None, str | None]:
            return generated_files.retrieve(session, file_id), generated_files.get_blob_name(session, file_id)

        file, blob = await self.store.read(find_file, tenant=self.tenant)
        if file is None or blob is None:
            await self.upstream.request("POST", path, {"file_id": file_id})
            return
        content: AsyncIterator[bytes] = self.blobs.read(blob)
        await self.upstream.upload(path, filename=file["filename"], content=content, fields={})

    async def _save_container(self, thread_id: str, container: ThreadContainer) -> None:
        now = int(self.clock.now())
        await self.store.write(
            lambda session: tool_resources.save_thread_container(session, thread_id, container, now=now),
            tenant=self.tenant,
        )
