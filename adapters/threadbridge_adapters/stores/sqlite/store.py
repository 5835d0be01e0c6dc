"""`ports.Store` on SQLite: one thread writes, and a read is done where it is asked for, or on a few threads more."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from threadbridge.ports import Session
from threadbridge_adapters.stores.sqlite import transactions
from threadbridge_adapters.stores.sqlite.connection import (
    SqliteConnection,
    connect_inline_writer,
    connect_reader,
    connect_writer,
    create_sqlite_engine,
)
from threadbridge_adapters.stores.sqlite.connection_worker import ConnectionWorker
from threadbridge_adapters.stores.sqlite.inline_connection import InlineConnection
from threadbridge_adapters.stores.sqlite.sqlite_url import SqliteDatabase
from threadbridge_adapters.stores.sqlite.transaction_request import TransactionRequest

T = TypeVar("T")

#: Threads for the reads of several loops at once, the second started when one is not enough. More of them only fight
#: over the interpreter's lock (four cost twice the CPU of two on fifty concurrent reads).
READER_THREADS = 2
#: Writes that share one commit at most, so that the first of many does not wait for all.
MAX_GROUP_COMMIT = 64
#: Writes on the caller's thread before one goes to the writer, which then folds SQLite's log into the file: some 10 MB
#: of usual runs by then. That costs as much as a run or two, whatever it finds.
MAX_INLINE_WRITES_IN_A_ROW = 250


class TransactionScheduler:
    """The ways into the database for one process.

    For a file: short cuts on the caller's thread while nobody else is at it, else a writer and readers with threads of
    their own. In memory there is one connection, and one thread for all.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        engine = create_sqlite_engine(database)

        def run_writes(connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]]) -> None:
            transactions.write(connection, requests, database)

        def run_inline(connection: SqliteConnection, request: TransactionRequest[Any]) -> bool:
            return transactions.run_inline(connection, request, database)

        def run_read(connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]]) -> None:
            transactions.read(connection, requests[0], database)

        def run_read_inline(connection: SqliteConnection, request: TransactionRequest[Any]) -> bool:
            transactions.read(connection, request, database)  # no writer locks a snapshot out
            return True

        def run_any(connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]]) -> None:
            transactions.run_any(connection, requests[0], database)

        def open_writer() -> SqliteConnection:
            return connect_writer(engine, database)

        def open_inline_writer() -> SqliteConnection:
            return connect_inline_writer(engine, database)

        def open_reader() -> SqliteConnection:
            return connect_reader(engine, database)

        self._inline_write_count = 0
        self._inline_writer: InlineConnection | None = None
        self._inline_reader: InlineConnection | None = None
        if database.path is None:
            self.writer = self.readers = ConnectionWorker("store", connect=open_writer, run_transactions=run_any)
            return
        self.writer = ConnectionWorker(
            "store-writer", connect=open_writer, run_transactions=run_writes, max_group_size=MAX_GROUP_COMMIT
        )
        self.readers = ConnectionWorker(
            "store-reader", connect=open_reader, run_transactions=run_read, max_threads=READER_THREADS
        )
        self._inline_reader = InlineConnection(connect=open_reader, run_transaction=run_read_inline)
        if database.synchronous == "normal":  # else every commit waits for the disk
            self._inline_writer = InlineConnection(connect=open_inline_writer, run_transaction=run_inline)

    async def read(self, request: TransactionRequest[T]) -> T:
        """The outcome of the job, done here and now if that keeps nobody waiting."""
        # What was just written is still at hand where it was written; any other connection would fetch it anew. In
        # return a write of another thread may find that connection busy, and goes by the writer.
        for connection in (self._inline_writer, self._inline_reader):
            if connection is not None and connection.try_run(request):
                return request.take_result()
        return await self.readers.submit(request)

    async def write(self, request: TransactionRequest[T]) -> T:
        """The outcome of the job, done after those that were handed in before."""
        if (
            self._inline_writer is not None
            and self.writer.is_idle
            and self._inline_write_count < MAX_INLINE_WRITES_IN_A_ROW
        ):
            self._inline_write_count += 1
            if self._inline_writer.try_run(request):
                return request.take_result()
        self._inline_write_count = 0
        return await self.writer.submit(request)

    def close(self) -> None:
        """Let all end, without waiting."""
        self._close_inline_connections()
        self.readers.close()
        self.writer.close()

    async def wait_closed(self) -> None:
        """Readers end first: the last connection to close a file folds its log away, and should be one that writes."""
        self._close_inline_connections()
        await self.readers.wait_closed()
        await self.writer.wait_closed()

    def _close_inline_connections(self) -> None:
        for connection in (self._inline_reader, self._inline_writer):
            if connection is not None:
                connection.close()


class SqliteStore:
    """`ports.Store`. May be used from several event loops at once, and by several processes on one file.

    Writes that are waiting when the writer is free share one commit; a lone write is never kept waiting for company.
    A caller that is cancelled stops waiting, its transaction happens all the same. After a `fork` the child opens
    the file anew; a store in memory stays with the parent.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._start_scheduler()
        _OPEN_STORES.add(self)

    def _start_scheduler(self) -> None:
        self.scheduler = TransactionScheduler(self._database)
        self._finalizer = weakref.finalize(self, self.scheduler.close)
        self._finalizer.atexit = False  # lanes see to the interpreter's exit themselves

    async def initialize(self) -> SqliteStore:
        """The store with its schema up to date. Raises StoreError where that cannot be."""
        request = TransactionRequest(lambda _: None, tenant="", writes=True)
        await self.scheduler.writer.submit(request)
        return self

    async def read(self, work: Callable[[Session], T], *, tenant: str) -> T:
        return await self.scheduler.read(TransactionRequest(work, tenant=tenant, writes=False))

    async def write(self, work: Callable[[Session], T], *, tenant: str) -> T:
        return await self.scheduler.write(TransactionRequest(work, tenant=tenant, writes=True))

    async def aclose(self) -> None:
        _OPEN_STORES.discard(self)
        await self.scheduler.wait_closed()

    def reopen_after_fork(self) -> None:
        """Start anew in a forked process."""
        # The parent's threads are not here and its connections must not even be closed: SQLite forbids both.
        _PARENT_SCHEDULERS.append(self.scheduler)
        self._finalizer.detach()
        self._start_scheduler()
        if self._database.path is None:
            self.scheduler.close()


_OPEN_STORES: weakref.WeakSet[SqliteStore] = weakref.WeakSet()
#: Kept, never used, so that nothing finalises them in a child.
_PARENT_SCHEDULERS: list[TransactionScheduler] = []


def _reopen_stores_after_fork() -> None:
    for store in list(_OPEN_STORES):
        store.reopen_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reopen_stores_after_fork)
