"""`/v1/vector_stores`: stores of files that can be searched, and the batches in which files are added."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from threadbridge.ports import Clock, IdGenerator, Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._attribute_filters import check_attributes
from threadbridge_adapters.simulator._files import Files
from threadbridge_adapters.simulator._full_text_search import Index
from threadbridge_adapters.simulator._pagination import page
from threadbridge_adapters.simulator._state import Limits
from threadbridge_adapters.simulator._text_chunking import check_chunking, chunking_of
from threadbridge_adapters.simulator._vector_store_files import STATUSES, StoreFile, counts, extension, is_supported

FILES_PER_BATCH: Final = 500
_DAY: Final = 86_400

_EXPIRY = checks.shape(
    {"anchor": checks.one_of("last_active_at"), "days": checks.integer(least=1, most=365)}, required=("anchor", "days")
)
_DESCRIPTION: Mapping[str, checks.Check] = {
    "name": checks.string(),
    "description": checks.string(),
    "expires_after": _EXPIRY,
    "metadata": checks.metadata,
}
_FILE_IDS = checks.strings(most=FILES_PER_BATCH)
_ADDED: Mapping[str, checks.Check] = {
    "file_id": checks.string(),
    "attributes": check_attributes,
    "chunking_strategy": check_chunking,
}


def _files(path: str, value: Any) -> None:
    items = checks.array(path, value)
    if len(items) > FILES_PER_BATCH:
        raise errors.too_long(path, "array", len(items), FILES_PER_BATCH)
    for index, item in enumerate(items):
        checks.members(f"{path}[{index}]", item, _ADDED, required=("file_id",))


@dataclass(slots=True)
class _Batch:
    id: str
    created_at: int
    files: list[StoreFile]


@dataclass(slots=True)
class VectorStore:
    """A store with its files, in the order in which they were added."""

    id: str
    created_at: int
    last_active_at: int
    description: Wire
    files: dict[str, StoreFile] = field(default_factory=dict[str, StoreFile])
    batches: dict[str, _Batch] = field(default_factory=dict[str, "_Batch"])

    @property
    def expires_at(self) -> int | None:
        """Days after it was last used."""
        expiry = self.description.get("expires_after")
        return None if expiry is None else self.last_active_at + expiry["days"] * _DAY

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def shown(self, now: float) -> Wire:
        """The wire object."""
        found = counts(list(self.files.values()))
        busy = "in_progress" if found["in_progress"] else "completed"
        return {
            "id": self.id,
            "object": "vector_store",
            "created_at": self.created_at,
            "name": self.description.get("name"),
            "description": self.description.get("description"),
            "usage_bytes": sum(file.usage_bytes for file in self.files.values()),
            "file_counts": found,
            "status": "expired" if self.is_expired(now) else busy,
            "expires_after": self.description.get("expires_after"),
            "expires_at": self.expires_at,
            "last_active_at": self.last_active_at,
            "metadata": self.description.get("metadata") or {},
        }


class VectorStores:
    """The operations on stores, their files and batches.

    A file is `in_progress` for `indexing_seconds` of the clock after it was added, and always in the answer to that.
    """

    def __init__(self, files: Files, index: Index, limits: Limits, clock: Clock, new_id: IdGenerator) -> None:
        self.indexing_seconds = 0.0
        self._files = files
        self._index = index
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._stores: OrderedDict[str, VectorStore] = OrderedDict()
        self._indexed_bytes = 0
        files.when_forgotten(self._forget_file)

    def __contains__(self, store_id: str) -> bool:
        return store_id in self._stores

    # Stores
    def create(self, raw: Any) -> Wire:
        allowed = {**_DESCRIPTION, "file_ids": _FILE_IDS, "chunking_strategy": check_chunking}
        body = checks.members("", raw or {}, allowed)
        ids = body.get("file_ids") or []
        if body.get("chunking_strategy") is not None and not ids:
            text = "The 'chunking_strategy' parameter is only applicable if 'file_ids' is non-empty."
            raise errors.ServiceError(text, param="chunking_strategy")
        self._check_addable(ids)
        now = int(self._clock.now())
        described = {name: body.get(name) for name in _DESCRIPTION}
        store = VectorStore(self._new_id("vs"), now, now, described)
        self._stores[store.id] = store
        while len(self._stores) > self._limits.vector_stores:
            self._forget(next(iter(self._stores)))
        for file_id in ids:
            self._add(store, {"file_id": file_id, "chunking_strategy": body.get("chunking_strategy")})
        return store.shown(now)

    def list_all(self, query: Mapping[str, str]) -> Wire:
        now = self._clock.now()
        for store in self._stores.values():
            self._settle(store)
        return page([store.shown(now) for store in self._stores.values()], query)

    def retrieve(self, store_id: str) -> Wire:
        return self._store(store_id).shown(self._clock.now())

    def update(self, store_id: str, raw: Any) -> Wire:
        store = self._store(store_id)
        body = checks.members(
            "", raw or {}, {name: _DESCRIPTION[name] for name in ("name", "expires_after", "metadata")}
        )
        store.description = {**store.description, **body}
        store.last_active_at = int(self._clock.now())
        return store.shown(self._clock.now())

    def delete(self, store_id: str) -> Wire:
        self._store(store_id)
        self._forget(store_id)
        return {"id": store_id, "object": "vector_store.deleted", "deleted": True}

    def active(self, store_id: str) -> VectorStore:
        """A store for use: counts as activity. Raises the service's 404, and a refusal if it is expired."""
        store = self._store(store_id)
        if store.is_expired(self._clock.now()):
            raise errors.vector_store_expired(store_id)
        store.last_active_at = int(self._clock.now())
        return store

    # Files
    def add_file(self, store_id: str, raw: Any) -> Wire:
        store = self.active(store_id)
        body = checks.members("", raw, _ADDED, required=("file_id",))
        self._check_addable([body["file_id"]])
        return self._add(store, body).shown()

    def list_files(self, store_id: str, query: Mapping[str, str]) -> Wire:
        return _page_of(self._store(store_id).files.values(), query, StoreFile.shown)

    def retrieve_file(self, store_id: str, file_id: str) -> Wire:
        return self._file(store_id, file_id).shown()

    def update_file(self, store_id: str, file_id: str, raw: Any) -> Wire:
        file = self._file(store_id, file_id)
        body = checks.members("", raw, {"attributes": check_attributes}, required=("attributes",))
        file.attributes = body["attributes"] or {}
        return file.shown()

    def delete_file(self, store_id: str, file_id: str) -> Wire:
        """Take the file out of the store; the file itself stays."""
        self._file(store_id, file_id)
        self._remove(self._stores[store_id], file_id)
        return {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}

    def file_content(self, store_id: str, file_id: str) -> Wire:
        """What was read of the file, chunk by chunk."""
        self._file(store_id, file_id)
        data = [{"type": "text", "text": text} for text in self._index.chunks(store_id, file_id)]
        return {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}

    # Batches
    def create_batch(self, store_id: str, raw: Any) -> Wire:
        store = self.active(store_id)
        allowed = {
            "file_ids": _FILE_IDS,
            "files": _files,
            "attributes": check_attributes,
            "chunking_strategy": check_chunking,
        }
        body = checks.members("", raw, allowed)
        if (body.get("file_ids") is None) == (body.get("files") is None):
            raise errors.ServiceError("Exactly one of 'file_ids' and 'files' must be provided.", param="file_ids")
        shared = {name: body.get(name) for name in ("attributes", "chunking_strategy")}
        wanted: list[Wire] = body.get("files") or [
            {"file_id": file_id, **shared} for file_id in body.get("file_ids") or []
        ]
        for each in wanted:
            self._files.file(each["file_id"])
        self._check_room(store, len(wanted))
        batch = _Batch(self._new_id("vsfb"), int(self._clock.now()), [])
        store.batches[batch.id] = batch
        batch.files = [self._add(store, each, batch_id=batch.id) for each in wanted]
        return _shown_batch(store, batch)

    def retrieve_batch(self, store_id: str, batch_id: str) -> Wire:
        return _shown_batch(*self._batch(store_id, batch_id))

    def cancel_batch(self, store_id: str, batch_id: str) -> Wire:
        """Files that are not read yet stay unread."""
        store, batch = self._batch(store_id, batch_id)
        for file in batch.files:
            if file.status == "in_progress":
                file.status = "cancelled"
        return _shown_batch(store, batch)

    def list_batch_files(self, store_id: str, batch_id: str, query: Mapping[str, str]) -> Wire:
        _, batch = self._batch(store_id, batch_id)
        return _page_of(batch.files, query, StoreFile.shown_in_batch)

    def _batch(self, store_id: str, batch_id: str) -> tuple[VectorStore, _Batch]:
        store = self._store(store_id)
        batch = store.batches.get(batch_id)
        if batch is None:
            raise errors.ServiceError(f"No file batch found with id '{batch_id}'.", status=404)
        return store, batch

    def _store(self, store_id: str) -> VectorStore:
        store = self._stores.get(store_id)
        if store is None:
            raise errors.vector_store_not_found(store_id)
        self._settle(store)
        return store

    def _file(self, store_id: str, file_id: str) -> StoreFile:
        file = self._store(store_id).files.get(file_id)
        if file is None:
            raise errors.ServiceError(f"No file found with id '{file_id}' in vector store '{store_id}'.", status=404)
        return file

    def _add(self, store: VectorStore, wanted: Wire, *, batch_id: str | None = None) -> StoreFile:
        known = store.files.get(wanted["file_id"])
        if known is not None:
            return known
        now = self._clock.now()
        added = store.files[wanted["file_id"]] = StoreFile(
            self._files.file(wanted["file_id"]),
            store.id,
            created_at=int(now),
            ready_at=now + self.indexing_seconds,
            chunking=chunking_of(wanted.get("chunking_strategy")),
            attributes=wanted.get("attributes") or {},
            batch_id=batch_id,
        )
        return added

    def _check_addable(self, file_ids: Sequence[str]) -> None:
        names = [self._files.file(file_id).filename for file_id in file_ids]
        refused = [extension(name) for name in names if not is_supported(name)]
        if refused:
            raise errors.unsupported_for_retrieval(refused)

    def _check_room(self, store: VectorStore, more: int) -> None:
        if len(store.files) + more > self._limits.vector_store_files:
            text = f"The simulator keeps at most {self._limits.vector_store_files} files in a vector store."
            raise errors.ServiceError(text)

    def _settle(self, store: VectorStore) -> None:
        """Index what has become ready."""
        now = self._clock.now()
        for file in store.files.values():
            if file.status == "in_progress" and file.ready_at <= now:
                file.index(self._index, room=self._limits.indexed_bytes - self._indexed_bytes)
                self._indexed_bytes += file.usage_bytes

    def _remove(self, store: VectorStore, file_id: str) -> None:
        self._indexed_bytes -= store.files.pop(file_id).usage_bytes
        self._index.remove(store.id, file_id)

    def _forget(self, store_id: str) -> None:
        self._indexed_bytes -= sum(file.usage_bytes for file in self._stores.pop(store_id).files.values())
        self._index.drop(store_id)

    def _forget_file(self, file_id: str) -> None:
        for store in self._stores.values():
            if file_id in store.files:
                self._remove(store, file_id)


def _shown_batch(store: VectorStore, batch: _Batch) -> Wire:
    found = counts(batch.files)
    status = "in_progress" if found["in_progress"] else "cancelled" if found["cancelled"] else "completed"
    return {
        "id": batch.id,
        "object": "vector_store.file_batch",
        "created_at": batch.created_at,
        "status": status,
        "vector_store_id": store.id,
        "file_counts": found,
    }


def _page_of(files: Any, query: Mapping[str, str], shown: Callable[[StoreFile], Wire]) -> Wire:
    wanted = query.get("filter")
    if wanted is not None:
        checks.one_of(*STATUSES)("filter", wanted)
    return page([shown(file) for file in files if wanted in (None, file.status)], query)
