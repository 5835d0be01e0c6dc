"""`/v1/vector_stores`: vector stores, their files, and file batches."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from threadbridge.api_types import JsonObject
from threadbridge.ports import Clock, IdGenerator
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._file_contents import get_extension
from threadbridge_adapters.simulator._files import Files
from threadbridge_adapters.simulator._state import SimulatorLimits
from threadbridge_adapters.simulator._validators import paginate
from threadbridge_adapters.simulator._vector_store_files import (
    STATUSES,
    FullTextIndex,
    VectorStoreFile,
    check_chunking,
    count_statuses,
    is_supported,
    parse_chunking_strategy,
)

MAX_FILES_PER_BATCH: Final = 500
_DAY: Final = 86_400

_check_expiry = validators.object_with(
    {"anchor": validators.one_of("last_active_at"), "days": validators.integer(minimum=1, maximum=365)},
    required=("anchor", "days"),
)
_STORE_FIELDS: Mapping[str, validators.Validator] = {
    "name": validators.string(),
    "description": validators.string(),
    "expires_after": _check_expiry,
    "metadata": validators.metadata,
}
_check_file_ids = validators.array_of_strings(max_length=MAX_FILES_PER_BATCH)
_FILE_FIELDS: Mapping[str, validators.Validator] = {
    "file_id": validators.string(),
    "attributes": validators.attributes,
    "chunking_strategy": check_chunking,
}


@dataclass(slots=True)
class _FileBatch:
    id: str
    created_at: int
    files: list[VectorStoreFile]


@dataclass(slots=True)
class VectorStore:
    """A store with its files, in the order in which they were added."""

    id: str
    created_at: int
    last_active_at: int
    description: JsonObject
    files: dict[str, VectorStoreFile] = field(default_factory=dict[str, VectorStoreFile])
    batches: dict[str, _FileBatch] = field(default_factory=dict[str, "_FileBatch"])

    @property
    def expires_at(self) -> int | None:
        """Days until expiry after the last use."""
        expiry = self.description.get("expires_after")
        return None if expiry is None else self.last_active_at + expiry["days"] * _DAY

    def is_expired(self, now: float) -> bool:
        return self.expires_at is not None and now >= self.expires_at

    def to_wire(self, now: float) -> JsonObject:
        """The wire object."""
        file_counts = count_statuses(list(self.files.values()))
        active_status = "in_progress" if file_counts["in_progress"] else "completed"
        return {
            "id": self.id,
            "object": "vector_store",
            "created_at": self.created_at,
            "name": self.description.get("name"),
            "description": self.description.get("description"),
            "usage_bytes": sum(file.usage_bytes for file in self.files.values()),
            "file_counts": file_counts,
            "status": "expired" if self.is_expired(now) else active_status,
            "expires_after": self.description.get("expires_after"),
            "expires_at": self.expires_at,
            "last_active_at": self.last_active_at,
            "metadata": self.description.get("metadata") or JsonObject(),
        }


class VectorStores:
    """The operations on stores, their files and batches.

    A file is `in_progress` for `indexing_seconds` of the clock after it was added, and always in that response.
    """

    def __init__(
        self, files: Files, index: FullTextIndex, limits: SimulatorLimits, clock: Clock, new_id: IdGenerator
    ) -> None:
        self.indexing_seconds = 0.0
        self._files = files
        self._index = index
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._stores: OrderedDict[str, VectorStore] = OrderedDict()
        self._indexed_bytes = 0
        files.add_deletion_listener(self.remove_file_from_all)

    def __contains__(self, store_id: str) -> bool:
        return store_id in self._stores

    # Stores
    def create(self, raw: Any) -> JsonObject:
        allowed = {**_STORE_FIELDS, "file_ids": _check_file_ids, "chunking_strategy": check_chunking}
        body = validators.check_members("", raw or JsonObject(), allowed)
        ids: list[str] = body.get("file_ids") or []
        if body.get("chunking_strategy") is not None and not ids:
            text = "The 'chunking_strategy' parameter is only applicable if 'file_ids' is non-empty."
            raise errors.ServiceError(text, param="chunking_strategy")
        self._check_addable(ids)
        now = int(self._clock.now())
        description = {name: body.get(name) for name in _STORE_FIELDS}
        store = VectorStore(self._new_id("vs"), now, now, description)
        self._stores[store.id] = store
        while len(self._stores) > self._limits.vector_stores:
            self._delete_store(next(iter(self._stores)))
        for file_id in ids:
            self._add_file(store, {"file_id": file_id, "chunking_strategy": body.get("chunking_strategy")})
        return store.to_wire(now)

    def list_all(self, query: Mapping[str, str]) -> JsonObject:
        now = self._clock.now()
        for store in self._stores.values():
            self._index_ready_files(store)
        return paginate([store.to_wire(now) for store in self._stores.values()], query)

    def retrieve(self, store_id: str) -> JsonObject:
        return self._get_store(store_id).to_wire(self._clock.now())

    def update(self, store_id: str, raw: Any) -> JsonObject:
        store = self._get_store(store_id)
        body = validators.check_members(
            "", raw or JsonObject(), {name: _STORE_FIELDS[name] for name in ("name", "expires_after", "metadata")}
        )
        store.description = {**store.description, **body}
        store.last_active_at = int(self._clock.now())
        return store.to_wire(self._clock.now())

    def delete(self, store_id: str) -> JsonObject:
        self._get_store(store_id)
        self._delete_store(store_id)
        return {"id": store_id, "object": "vector_store.deleted", "deleted": True}

    def get_active(self, store_id: str) -> VectorStore:
        """A store; this use counts as activity. Raises the service's errors for a missing or expired one."""
        store = self._get_store(store_id)
        if store.is_expired(self._clock.now()):
            raise errors.vector_store_expired(store_id)
        store.last_active_at = int(self._clock.now())
        return store

    # Files
    def add_file(self, store_id: str, raw: Any) -> JsonObject:
        store = self.get_active(store_id)
        body = validators.check_members("", raw, _FILE_FIELDS, required=("file_id",))
        self._check_addable([body["file_id"]])
        return self._add_file(store, body).to_wire()

    def list_files(self, store_id: str, query: Mapping[str, str]) -> JsonObject:
        return _paginate_files(self._get_store(store_id).files.values(), query, VectorStoreFile.to_wire)

    def retrieve_file(self, store_id: str, file_id: str) -> JsonObject:
        return self._get_file(store_id, file_id).to_wire()

    def update_file(self, store_id: str, file_id: str, raw: Any) -> JsonObject:
        file = self._get_file(store_id, file_id)
        body = validators.check_members("", raw, {"attributes": validators.attributes}, required=("attributes",))
        file.attributes = body["attributes"] or JsonObject()
        return file.to_wire()

    def delete_file(self, store_id: str, file_id: str) -> JsonObject:
        """Remove the file from the store; the file itself is not deleted."""
        self._get_file(store_id, file_id)
        self._remove_file(self._stores[store_id], file_id)
        return {"id": file_id, "object": "vector_store.file.deleted", "deleted": True}

    def list_file_chunks(self, store_id: str, file_id: str) -> JsonObject:
        """The indexed text of the file, one object per chunk."""
        self._get_file(store_id, file_id)
        data = [{"type": "text", "text": text} for text in self._index.list_chunks(store_id, file_id)]
        return {"object": "vector_store.file_content.page", "data": data, "has_more": False, "next_page": None}

    # Batches
    def create_batch(self, store_id: str, raw: Any) -> JsonObject:
        store = self.get_active(store_id)
        allowed = {
            "file_ids": _check_file_ids,
            "files": validators.array_of_objects(_FILE_FIELDS, required=("file_id",), max_length=MAX_FILES_PER_BATCH),
            "attributes": validators.attributes,
            "chunking_strategy": check_chunking,
        }
        body = validators.check_members("", raw, allowed)
        if (body.get("file_ids") is None) == (body.get("files") is None):
            raise errors.ServiceError("Exactly one of 'file_ids' and 'files' must be provided.", param="file_ids")
        shared = {name: body.get(name) for name in ("attributes", "chunking_strategy")}
        file_params: list[JsonObject] = body.get("files") or [
            {"file_id": file_id, **shared} for file_id in body.get("file_ids") or ()
        ]
        for each in file_params:
            self._files.get_file(each["file_id"])
        if len(store.files) + len(file_params) > self._limits.vector_store_files:
            text = f"The simulator keeps at most {self._limits.vector_store_files} files in a vector store."
            raise errors.ServiceError(text)
        batch = _FileBatch(self._new_id("vsfb"), int(self._clock.now()), [])
        store.batches[batch.id] = batch
        batch.files = [self._add_file(store, each, batch_id=batch.id) for each in file_params]
        return _batch_to_wire(store, batch)

    def retrieve_batch(self, store_id: str, batch_id: str) -> JsonObject:
        return _batch_to_wire(*self._get_batch(store_id, batch_id))

    def cancel_batch(self, store_id: str, batch_id: str) -> JsonObject:
        """Cancel the files that are not indexed yet."""
        store, batch = self._get_batch(store_id, batch_id)
        for file in batch.files:
            if file.status == "in_progress":
                file.status = "cancelled"
        return _batch_to_wire(store, batch)

    def list_batch_files(self, store_id: str, batch_id: str, query: Mapping[str, str]) -> JsonObject:
        _, batch = self._get_batch(store_id, batch_id)
        return _paginate_files(batch.files, query, VectorStoreFile.to_batch_wire)

    def _get_batch(self, store_id: str, batch_id: str) -> tuple[VectorStore, _FileBatch]:
        store = self._get_store(store_id)
        batch = store.batches.get(batch_id)
        if batch is None:
            raise errors.ServiceError(f"No file batch found with id '{batch_id}'.", status=404)
        return store, batch

    def _get_store(self, store_id: str) -> VectorStore:
        store = self._stores.get(store_id)
        if store is None:
            raise errors.vector_store_not_found(store_id)
        self._index_ready_files(store)
        return store

    def _get_file(self, store_id: str, file_id: str) -> VectorStoreFile:
        file = self._get_store(store_id).files.get(file_id)
        if file is None:
            raise errors.ServiceError(f"No file found with id '{file_id}' in vector store '{store_id}'.", status=404)
        return file

    def _add_file(self, store: VectorStore, file_params: JsonObject, *, batch_id: str | None = None) -> VectorStoreFile:
        known = store.files.get(file_params["file_id"])
        if known is not None:
            return known
        now = self._clock.now()
        added = store.files[file_params["file_id"]] = VectorStoreFile(
            self._files.get_file(file_params["file_id"]),
            store.id,
            created_at=int(now),
            ready_at=now + self.indexing_seconds,
            chunking=parse_chunking_strategy(file_params.get("chunking_strategy")),
            attributes=file_params.get("attributes") or JsonObject(),
            batch_id=batch_id,
        )
        return added

    def _check_addable(self, file_ids: Sequence[str]) -> None:
        names = [self._files.get_file(file_id).filename for file_id in file_ids]
        unsupported = [get_extension(name) for name in names if not is_supported(name)]
        if unsupported:
            raise errors.unsupported_for_retrieval(unsupported)

    def _index_ready_files(self, store: VectorStore) -> None:
        """Index the files that are due."""
        now = self._clock.now()
        for file in store.files.values():
            if file.status == "in_progress" and file.ready_at <= now:
                file.add_to_index(self._index, available_bytes=self._limits.indexed_bytes - self._indexed_bytes)
                self._indexed_bytes += file.usage_bytes

    def _remove_file(self, store: VectorStore, file_id: str) -> None:
        self._indexed_bytes -= store.files.pop(file_id).usage_bytes
        self._index.remove_file(store.id, file_id)

    def _delete_store(self, store_id: str) -> None:
        self._indexed_bytes -= sum(file.usage_bytes for file in self._stores.pop(store_id).files.values())
        self._index.remove_store(store_id)

    def remove_file_from_all(self, file_id: str) -> None:
        for store in self._stores.values():
            if file_id in store.files:
                self._remove_file(store, file_id)


def _batch_to_wire(store: VectorStore, batch: _FileBatch) -> JsonObject:
    file_counts = count_statuses(batch.files)
    status = "in_progress" if file_counts["in_progress"] else "cancelled" if file_counts["cancelled"] else "completed"
    return {
        "id": batch.id,
        "object": "vector_store.file_batch",
        "created_at": batch.created_at,
        "status": status,
        "vector_store_id": store.id,
        "file_counts": file_counts,
    }


def _paginate_files(
    files: Any, query: Mapping[str, str], to_wire: Callable[[VectorStoreFile], JsonObject]
) -> JsonObject:
    status = query.get("filter")
    if status is not None:
        validators.one_of(*STATUSES)("filter", status)
    return paginate([to_wire(file) for file in files if status in (None, file.status)], query)
