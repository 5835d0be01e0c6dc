"""Full-text search over chunks with SQLite FTS5 and BM25.

Scores are between 0 and 1, as at the service: the share of the query's words in a chunk, weighted by its BM25
relative to the best one's. (BM25 alone does not discriminate if most chunks contain a word.)
"""

from __future__ import annotations

import json
import re
import sqlite3
import weakref
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

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
        store = self._stores.get(store_id) or self._create_store(store_id)
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
        word_counts = self._count_matching_words(store, words, [row[0] for row in rows])
        hits = [
            SearchHit(file_id, text, round(word_counts[rowid] / len(words) * (1 + rank / best) / 2, 4))
            for rowid, file_id, text, rank in rows
        ]
        return sorted(hits, key=lambda hit: -hit.score)

    def _count_matching_words(
        self, store: sqlite3.Connection, words: Sequence[str], rowids: Sequence[int]
    ) -> Counter[int]:
        """The number of query words in each of these chunks."""
        rowids_json = json.dumps(rowids)
        return Counter(
            rowid
            for word in words
            for (rowid,) in store.execute(_SELECT_MATCHING_ROWIDS, (_quote_phrase(word), rowids_json))
        )

    def close(self) -> None:
        """Forget everything."""
        _close_all(self._stores)

    def _create_store(self, store_id: str) -> sqlite3.Connection:
        store = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        store.execute("CREATE VIRTUAL TABLE chunks USING fts5(file_id UNINDEXED, text, tokenize = 'porter unicode61')")
        self._stores[store_id] = store
        return store


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
