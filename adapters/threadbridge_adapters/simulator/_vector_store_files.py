"""One file in one vector store: supported types, its text in chunks, and their full-text index."""

from __future__ import annotations

import json
import re
import sqlite3
import weakref
from array import array
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

from threadbridge.api_types import JsonObject
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._file_contents import (
    SUPPORTED_EXTENSIONS,
    UnreadableDocumentError,
    UnsupportedDocumentError,
    extract_text,
    get_extension,
)
from threadbridge_adapters.simulator._files import StoredFile
from threadbridge_adapters.simulator._tokens_and_compaction import iterate_word_starts

#: Maximum tokens of one file at the service.
MAX_FILE_TOKENS: Final = 5_000_000


@dataclass(frozen=True, slots=True)
class ChunkingStrategy:
    """A static chunking strategy."""

    max_tokens: int = 800
    overlap_tokens: int = 400

    def to_wire(self) -> JsonObject:
        return {
            "type": "static",
            "static": {"max_chunk_size_tokens": self.max_tokens, "chunk_overlap_tokens": self.overlap_tokens},
        }


class TooManyTokensError(Exception):
    """The text exceeds the token limit of one file."""


def split_into_chunks(text: str, strategy: ChunkingStrategy) -> Iterator[str]:
    """The chunks in order. Raises TooManyTokensError."""
    starts = array("Q")
    for start in iterate_word_starts(text):
        starts.append(start)
        if len(starts) > MAX_FILE_TOKENS:
            raise TooManyTokensError
    step = strategy.max_tokens - strategy.overlap_tokens
    for first in range(0, max(len(starts) - strategy.overlap_tokens, 1), step):
        last = first + strategy.max_tokens
        yield text[starts[first] if starts else 0 : starts[last] if last < len(starts) else len(text)]


_STATIC_FIELDS = {
    "max_chunk_size_tokens": validators.integer(minimum=100, maximum=4096),
    "chunk_overlap_tokens": validators.integer(minimum=0),
}


def check_chunking(path: str, value: Any) -> None:
    """A `chunking_strategy`."""
    kind = validators.require_object(path, value).get("type")
    if kind is None:
        raise errors.missing_parameter(f"{path}.type")
    if kind == "auto":
        validators.check_members(path, value, {"type": validators.string()})
        return
    validators.one_of("auto", "static")(f"{path}.type", kind)
    static = validators.object_with(_STATIC_FIELDS, required=tuple(_STATIC_FIELDS))
    validators.check_members(path, value, {"type": validators.string(), "static": static}, required=("static",))
    size, overlap = value["static"]["max_chunk_size_tokens"], value["static"]["chunk_overlap_tokens"]
    if overlap > size // 2:
        text = "chunk_overlap_tokens must be less than or equal to half of max_chunk_size_tokens"
        raise errors.ServiceError(text, param=f"{path}.static.chunk_overlap_tokens", code="invalid_value")


def parse_chunking_strategy(value: JsonObject | None) -> ChunkingStrategy:
    """The value of a validated `chunking_strategy`; the default for `auto` and None."""
    if value is None or value["type"] == "auto":
        return ChunkingStrategy()
    return ChunkingStrategy(value["static"]["max_chunk_size_tokens"], value["static"]["chunk_overlap_tokens"])


#: Words of a query that are searched; later words are ignored.
MAX_QUERY_WORDS: Final = 64
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A chunk that contains words of the query."""

    file_id: str
    text: str
    score: float


class FullTextIndex:
    """The chunks of all vector stores, each store in its own in-memory database."""

    def __init__(self) -> None:
        self._stores: dict[str, sqlite3.Connection] = {}
        weakref.finalize(self, _close_all, self._stores)

    def add_file(self, store_id: str, file_id: str, chunks: Iterable[str]) -> None:
        """Index a file's chunks in a store."""
        store = self._stores.get(store_id)
        if store is None:
            store = self._stores[store_id] = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
            store.execute(_CREATE_TABLE)
        store.executemany("INSERT INTO chunks (file_id, text) VALUES (?, ?)", ((file_id, chunk) for chunk in chunks))

    def remove_file(self, store_id: str, file_id: str) -> None:
        """Remove a file's chunks from a store's index."""
        if store_id in self._stores:
            self._stores[store_id].execute("DELETE FROM chunks WHERE file_id = ?", (file_id,))

    def remove_store(self, store_id: str) -> None:
        """Forget a store."""
        store = self._stores.pop(store_id, None)
        if store is not None:
            store.close()

    def list_chunks(self, store_id: str, file_id: str) -> list[str]:
        """The chunks of a file, in order."""
        store = self._stores.get(store_id)
        if store is None:
            return []
        return [text for (text,) in store.execute(_SELECT_FILE_CHUNKS, (file_id,))]

    def search(self, store_id: str, query: str, *, file_ids: Collection[str], limit: int) -> list[SearchHit]:
        """The best chunks of these files, best first, without chunks that contain no word of the query."""
        words = list(dict.fromkeys(_WORD.findall(query.lower())))[:MAX_QUERY_WORDS]
        store = self._stores.get(store_id)
        if not words or store is None:
            return []
        ranked = store.execute(_SELECT_RANKED, (" OR ".join(map(_quote_phrase, words)),))
        rows = list(islice((row for row in ranked if row[1] in file_ids), limit))
        if not rows:
            return []
        best = rows[0][3]
        rowids = json.dumps([row[0] for row in rows])
        word_counts = Counter(
            rowid
            for word in words
            for (rowid,) in store.execute(_SELECT_MATCHING_ROWIDS, (_quote_phrase(word), rowids))
        )
        hits = [
            SearchHit(file_id, text, round(word_counts[rowid] / len(words) * (1 + rank / best) / 2, 4))
            for rowid, file_id, text, rank in rows
        ]
        return sorted(hits, key=lambda hit: -hit.score)

    def close(self) -> None:
        """Forget everything."""
        _close_all(self._stores)


_CREATE_TABLE: Final = "CREATE VIRTUAL TABLE chunks USING fts5(file_id UNINDEXED, text, tokenize = 'porter unicode61')"
_SELECT_FILE_CHUNKS: Final = "SELECT text FROM chunks WHERE file_id = ? ORDER BY rowid"
_SELECT_RANKED: Final = (
    "SELECT rowid, file_id, text, -bm25(chunks) FROM chunks WHERE chunks MATCH ? ORDER BY rank, rowid"
)
_SELECT_MATCHING_ROWIDS: Final = (
    "SELECT rowid FROM chunks WHERE chunks MATCH ? AND rowid IN (SELECT value FROM json_each(?))"
)


def _quote_phrase(word: str) -> str:
    return f'text:"{word}"'


def _close_all(stores: dict[str, sqlite3.Connection]) -> None:
    while stores:
        stores.popitem()[1].close()


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
