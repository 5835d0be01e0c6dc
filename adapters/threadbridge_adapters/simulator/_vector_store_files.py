"""One file in one vector store: supported types and indexing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator._file_text import (
    SUPPORTED_EXTENSIONS,
    UnreadableDocumentError,
    UnsupportedDocumentError,
    extract_text,
    get_extension,
)
from threadbridge_adapters.simulator._files import StoredFile
from threadbridge_adapters.simulator._full_text_search import (
    ChunkingStrategy,
    FullTextIndex,
    TooManyTokensError,
    split_into_chunks,
)

STATUSES: Final = ("in_progress", "completed", "failed", "cancelled")
UNREADABLE_FILE_ERROR: Final[JsonObject] = {
    "code": "invalid_file",
    "message": "The file could not be parsed because it is damaged or not of its type.",
}
FILE_TOO_LARGE_ERROR: Final[JsonObject] = {
    "code": "invalid_file",
    "message": "The file could not be parsed because it is too large.",
}


@dataclass(slots=True)
class VectorStoreFile:
    """A file in one vector store. It is indexed by the first access after `ready_at`."""

    file: StoredFile
    store_id: str
    created_at: int
    ready_at: float
    chunking: ChunkingStrategy
    attributes: JsonObject = field(default_factory=dict[str, object])
    status: str = "in_progress"
    usage_bytes: int = 0
    last_error: JsonObject | None = None
    batch_id: str | None = None

    def add_to_index(self, index: FullTextIndex, *, available_bytes: int) -> None:
        """Index the file or set its error; `available_bytes` is the remaining capacity of the index."""
        try:
            text = extract_text(self.file.filename, self.file.content.read())
        except UnsupportedDocumentError as error:
            self._fail({"code": "unsupported_file", "message": str(error)})
            return
        except UnreadableDocumentError:
            self._fail(UNREADABLE_FILE_ERROR)
            return
        try:
            chunks = list(split_into_chunks(text, self.chunking))
        except TooManyTokensError:
            self._fail(FILE_TOO_LARGE_ERROR)
            return
        size = sum(len(chunk.encode()) for chunk in chunks)
        if size > available_bytes:
            self._fail(FILE_TOO_LARGE_ERROR)
            return
        index.add_file(self.store_id, self.file.id, chunks)
        self.status, self.usage_bytes = "completed", size

    def to_wire(self) -> JsonObject:
        """The wire object."""
        return {
            "id": self.file.id,
            "object": "vector_store.file",
            "usage_bytes": self.usage_bytes,
            "created_at": self.created_at,
            "vector_store_id": self.store_id,
            "status": self.status,
            "last_error": self.last_error,
            "chunking_strategy": self.chunking.to_wire(),
            "attributes": self.attributes,
        }

    def to_batch_wire(self) -> JsonObject:
        """Recorded: lists of a batch's files have fewer fields."""
        return {
            "id": self.file.id,
            "object": "vector_store.file",
            "created_at": self.created_at,
            "vector_store_id": self.store_id,
            "status": self.status,
            "last_error": self.last_error,
        }

    def _fail(self, error: JsonObject) -> None:
        self.status, self.last_error = "failed", error


def is_supported(filename: str) -> bool:
    return get_extension(filename) in SUPPORTED_EXTENSIONS


def count_statuses(files: list[VectorStoreFile]) -> dict[str, int]:
    """`file_counts` of a store or a batch."""
    statuses = Counter(file.status for file in files)
    return {**{name: statuses[name] for name in STATUSES}, "total": len(files)}
