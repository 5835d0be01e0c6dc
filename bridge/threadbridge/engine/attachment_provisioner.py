"""Creates upstream what the attachments of a request need, before its transaction; deletes it if that fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypedDict, TypeVar

from typing_extensions import Unpack

from threadbridge.api_types import JsonMapping
from threadbridge.errors import BridgeError, InvalidRequest, NotFound, RequestError, UpstreamError, UpstreamTimeout
from threadbridge.logs import get_logger
from threadbridge.ports import BlobStore, Clock, IdGenerator, ObjectKind, Session, Store, Upstream, build_path
from threadbridge.service import cleanup_intents, generated_files
from threadbridge.service.attachments import NewVectorStore, Provisioned, ProvisioningPlan
from threadbridge.service.cleanup_intents import CleanupIntent
from threadbridge.service.generated_files import FileObject
from threadbridge.settings import Limits

T = TypeVar("T")

_log = get_logger("threadbridge.files")

#: Prefix of the name of a vector store that is created for a request; the id of its cleanup intent follows.
_STORE_NAME_PREFIX = "threadbridge-"
_PAGE_SIZE = 100
#: How far the upstream's clock may be behind ours.
_CLOCK_SKEW_SECONDS = 600
_NOT_FOUND = 404
_CLIENT_ERROR_STATUSES = range(400, 500)
_SERVICE_FAULT_STATUSES = frozenset({401, 403, 408, 429})


@dataclass(frozen=True, slots=True)
class AttachmentProvisioner:
    """Creates vector stores and adds files to them upstream. A cleanup intent in the store says what to undo."""

    tenant: str
    store: Store
    upstream: Upstream
    blobs: BlobStore
    clock: Clock
    new_id: IdGenerator
    limits: Limits

    @asynccontextmanager
    async def provision(self, plan: ProvisioningPlan | None) -> AsyncGenerator[Provisioned | None]:
        """Create what the plan needs; delete it if the block raises. The block's transaction ends the cleanup intent.

        Raises NotFound for an unknown file (A102), InvalidRequest for one that the upstream rejects.
        """
        if plan is None or plan == ProvisioningPlan():
            yield None
            return
        request = _ProvisioningRequest(self, plan)
        try:
            yield await request.run()
        except BaseException:
            await asyncio.shield(request.undo())
            raise

    async def undo(self, intent_id: str) -> None:
        """Delete what the intent lists. The next sweep deletes what cannot be deleted now."""
        row = await self.write(lambda session: cleanup_intents.start_cleanup(session, intent_id))
        if row is None:
            return
        _log.info("deleting what a failed request created upstream", intent_id=intent_id)
        try:
            for file_id in row.get("added", ()):
                await self._delete("vector_stores", str(row.get("store")), "files", file_id)
            for store_id in await self._find_created_stores(row):
                await self._delete("vector_stores", store_id)
            for file_id in row.get("uploaded", ()):
                await self._delete("files", file_id)
        except UpstreamError as error:
            _log.warning("could not carry out a cleanup intent", intent_id=intent_id, error=error.message)
            return
        await self.write(lambda session: session.remove(ObjectKind.CLEANUP_INTENT, intent_id))

    async def write(self, work: Callable[[Session], T]) -> T:
        """Run a transaction of the tenant."""
        return await self.store.write(work, tenant=self.tenant)

    async def _find_created_stores(self, row: CleanupIntent) -> Sequence[str]:
        """The created store; found by its name if the process ended before it recorded the id."""
        name, created = row.get("name"), row.get("store")
        if name is None:
            return []
        if created is not None:
            return [created]
        after: str | None = None
        while True:
            page = await self.upstream.request("GET", build_path("vector_stores", limit=_PAGE_SIZE, after=after))
            newer = [store for store in page["data"] if store["created_at"] >= row["created_at"] - _CLOCK_SKEW_SECONDS]
            store_ids = [store["id"] for store in newer if store.get("name") == name]
            if store_ids or len(newer) < len(page["data"]) or not page.get("has_more"):
                return store_ids
            after = str(newer[-1]["id"])

    async def _delete(self, collection: str, *segments: str) -> None:
        try:
            await self.upstream.request("DELETE", build_path(collection, *segments))
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                raise


class _IntentChanges(TypedDict, total=False):
    name: str
    store: str
    added: list[str]
    uploaded: list[str]


class _ProvisioningRequest:
    """The resources of one request, recorded in a cleanup intent as they are created."""

    def __init__(self, provisioner: AttachmentProvisioner, plan: ProvisioningPlan) -> None:
        self._provisioner = provisioner
        self._plan = plan
        self._upstream = provisioner.upstream
        self._intent: CleanupIntent = {
            "id": provisioner.new_id("intent"),
            "created_at": int(provisioner.clock.now()),
            "name": None,
            "store": None,
            "added": [],
            "uploaded": [],
        }
        self._has_intent = False

    async def run(self) -> Provisioned:
        """Create what the plan needs. Raises NotFound for an unknown file."""
        seconds = self._provisioner.limits.supply_seconds
        file_ids = dict.fromkeys((*self._plan.search_file_ids, *self._plan.required_file_ids))
        try:
            async with asyncio.timeout(seconds):
                upstream_ids = await asyncio.gather(*(self._resolve_file(file_id) for file_id in file_ids))
                return await self._provision_store(dict(zip(file_ids, upstream_ids, strict=True)))
        except UpstreamError as error:
            raise map_provisioning_error(error) from error
        except TimeoutError as exc:
            raise UpstreamTimeout(
                f"What the request attaches was not where tools find it within {seconds:g} seconds "
                "(limits.supply_seconds). Nothing was changed."
            ) from exc

    async def undo(self) -> None:
        if self._has_intent:
            try:
                await self._provisioner.undo(self._intent["id"])
            except BridgeError as error:  # the sweep will try again
                _log.warning("could not carry out a cleanup intent", intent_id=self._intent["id"], error=error.message)

    async def _resolve_file(self, file_id: str) -> str:
        """The id of the file at the upstream. A generated file is stored here; to be searched, it is uploaded."""
        try:
            await self._upstream.request("GET", build_path("files", file_id))
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                raise
        else:
            return file_id

        def read_file(session: Session) -> tuple[FileObject | None, str | None]:
            return generated_files.retrieve(session, file_id), generated_files.get_blob_name(session, file_id)

        file, blob = await self._provisioner.store.read(read_file, tenant=self._provisioner.tenant)
        if file is None or blob is None:
            raise NotFound(f"No such File object: {file_id}", param="id")
        if file_id not in self._plan.search_file_ids:
            return file_id
        content = self._provisioner.blobs.read(blob)
        fields = {"purpose": "assistants"}
        uploaded = await self._upstream.upload("/files", filename=file["filename"], content=content, fields=fields)
        await self._record_intent(uploaded=[*self._intent.get("uploaded", ()), str(uploaded["id"])])
        return str(uploaded["id"])

    async def _provision_store(self, upstream_ids: dict[str, str]) -> Provisioned:
        store, new = self._plan.vector_store_id, self._plan.new_vector_store
        file_ids = {upstream_ids[file_id]: file_id for file_id in self._plan.search_file_ids}
        if new is not None:
            return await self._create_store(new, file_ids)
        if store is None:
            return Provisioned()
        missing = {each: named for each, named in file_ids.items() if not await self._exists(store, "files", each)}
        if not missing:
            return Provisioned(store)
        await self._record_intent(store=store, added=list(missing))
        try:
            await self._add_files(store, missing, {})
        except UpstreamError as error:
            replacement = self._plan.replacement_store
            if error.status != _NOT_FOUND or replacement is None or await self._exists(store):
                raise
            _log.warning("replacing a vector store that was deleted upstream", vector_store_id=store)
            self._intent = {**self._intent, "store": None, "added": []}
            return await self._create_store(replacement, file_ids)
        return Provisioned(store, self._intent["id"])

    async def _create_store(self, new: NewVectorStore, file_ids: Mapping[str, str]) -> Provisioned:
        """Create a store with these files. Its name is recorded before, its id afterwards."""
        name = f"{_STORE_NAME_PREFIX}{self._intent['id']}"
        await self._record_intent(name=name)
        store = str((await self._upstream.request("POST", "/vector_stores", {"name": name, **new.body}))["id"])
        await self._record_intent(store=store)
        await self._add_files(
            store, file_ids, {"chunking_strategy": new.chunking_strategy} if new.chunking_strategy else {}
        )
        return Provisioned(store, self._intent["id"])

    async def _exists(self, store: str, *segments: str) -> bool:
        try:
            await self._upstream.request("GET", build_path("vector_stores", store, *segments))
        except UpstreamError as error:
            if error.status != _NOT_FOUND:
                raise
            return False
        return True

    async def _record_intent(self, **changes: Unpack[_IntentChanges]) -> None:
        intent: CleanupIntent = {**self._intent, **changes}
        self._intent = intent
        self._has_intent = True
        await self._provisioner.write(lambda session: cleanup_intents.record_intent(session, intent))

    async def _add_files(self, store: str, file_ids: Mapping[str, str], chunking: JsonMapping) -> None:
        """Add files to a store. The attributes of a copy name the original file, which answers cite (S8)."""
        for file_id, original_id in file_ids.items():
            attributes = {"attributes": {"file_id": original_id}} if original_id != file_id else {}
            body = {"file_id": file_id, **attributes, **chunking}
            await self._upstream.request("POST", build_path("vector_stores", store, "files"), body)


def map_provisioning_error(error: UpstreamError) -> BridgeError:
    """What the upstream rejects becomes an error of the request, in the upstream's words; other errors stay."""
    if error.status not in _CLIENT_ERROR_STATUSES or error.status in _SERVICE_FAULT_STATUSES:
        return error
    error_type: type[RequestError] = NotFound if error.status == _NOT_FOUND else InvalidRequest
    return error_type(error.message, param=error.param, code=error.code, request_id=error.request_id)
