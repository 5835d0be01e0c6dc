"""The digests of both sides of a comparison, in a temporary database that merges them by thread id."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Literal, NamedTuple, Self

Side = Literal["source", "destination"]


class DigestPair(NamedTuple):
    """The encoded digests of one thread; None where a side does not have it. Errors say why one could not be read."""

    thread_id: str
    source: bytes | None
    destination: bytes | None
    source_error: str | None
    destination_error: str | None


class DigestTable:
    """Digests by thread and side; memory does not grow with their number. Use it as a context manager."""

    def __enter__(self) -> Self:
        handle, name = tempfile.mkstemp(prefix="threadbridge-check-", suffix=".db")
        os.close(handle)
        self._path = Path(name)
        self._database = sqlite3.connect(name, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = OFF")
        self._database.execute("PRAGMA synchronous = OFF")
        self._database.execute(
            "CREATE TABLE digests (side TEXT, id TEXT, digest BLOB, error TEXT, PRIMARY KEY (id, side)) WITHOUT ROWID"
        )
        self._database.execute("BEGIN")
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()
        self._path.unlink(missing_ok=True)

    def add(self, side: Side, thread_id: str, digest: bytes | None, error: str | None = None) -> None:
        """Store the digest of a thread, or the error; the last of several counts."""
        row = (side, thread_id, digest, error)
        self._database.execute("INSERT OR REPLACE INTO digests VALUES (?, ?, ?, ?)", row)

    def iterate_ids(self, side: Side) -> Iterator[str]:
        """The ids of a side, in their order."""
        for (thread_id,) in self._database.execute("SELECT id FROM digests WHERE side = ? ORDER BY id", (side,)):
            yield thread_id

    def merge(self) -> Iterator[DigestPair]:
        """Every thread of either side, by id."""
        rows: Iterator[tuple[Side, str, bytes | None, str | None]] = self._database.execute(
            "SELECT side, id, digest, error FROM digests ORDER BY id"
        )
        for thread_id, copies in groupby(rows, key=itemgetter(1)):
            by_side = {side: (digest, error) for side, _, digest, error in copies}
            source, source_error = by_side.get("source", (None, None))
            destination, destination_error = by_side.get("destination", (None, None))
            yield DigestPair(thread_id, source, destination, source_error, destination_error)
