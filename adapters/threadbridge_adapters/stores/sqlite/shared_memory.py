"""Stores in memory that the backends of several event loops share: a client finds its threads on each loop."""

from __future__ import annotations

import os
import threading
from uuid import uuid4

from threadbridge_adapters.blobs.blob_store import TemporaryStorage
from threadbridge_adapters.stores.sqlite.connection import SqliteDatabase, format_memory_url
from threadbridge_adapters.stores.sqlite.store import SqliteStore


class SharedMemory:
    """The database and the files of one client. They exist from the first use until `close`."""

    def __init__(self) -> None:
        self.name = uuid4().hex
        self.url = format_memory_url(self.name)

    def close(self) -> None:
        """Discard everything, without waiting."""
        with _lock:
            opened = _opened.pop(self.name, None)
        if opened is not None:
            opened[0].scheduler.close()


class MemoryStore:
    """`ports.Store` on a shared database, which outlives it."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.read = store.read
        self.write = store.write

    async def initialize(self) -> MemoryStore:
        """Create the tables unless another backend has done so."""
        await self._store.initialize()
        return self

    async def aclose(self) -> None:
        """Nothing: the owner of the shared memory closes it."""


def open_shared_store(database: SqliteDatabase) -> MemoryStore:
    """The store with the name of this database."""
    return MemoryStore(_open(database)[0])


def open_shared_storage(database: SqliteDatabase) -> TemporaryStorage:
    """The files that belong to the store."""
    return _open(database)[1]


def _open(database: SqliteDatabase) -> tuple[SqliteStore, TemporaryStorage]:
    with _lock:
        opened = _opened.get(database.name)
        if opened is None:
            opened = _opened[database.name] = SqliteStore(database), TemporaryStorage()
        return opened


_lock = threading.Lock()
_opened: dict[str, tuple[SqliteStore, TemporaryStorage]] = {}
_PARENT_MEMORY: list[object] = []  # referenced so that nothing of it is finalized in a child


def _forget_after_fork() -> None:
    """A store in memory stays with the parent."""
    global _lock
    _lock = threading.Lock()
    _PARENT_MEMORY.append(dict(_opened))
    _opened.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
