"""`ports.Store` on SQLite: short transactions run on the caller's thread, others on the writer's or a reader's."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import TypeVar

from threadbridge.ports import Session
from threadbridge_adapters.stores.sqlite.connection import (
    SqliteConnection,
    SqliteDatabase,
    connect_inline_writer,
    connect_reader,
    connect_writer,
    create_sqlite_engine,
)
from threadbridge_adapters.stores.sqlite.transactions import (
    TransactionRequest,
    run_on_single_connection,
    run_reads,
    run_reads_or_writes,
    run_writes,
)
from threadbridge_adapters.stores.sqlite.workers import ConnectionWorker, InlineConnection

T = TypeVar("T")

#: Threads for the reads of several loops at once, the second started when one is not enough. More of them only compete
#: for the interpreter's lock (four cost twice the CPU of two on fifty concurrent reads).
READER_THREADS = 2
#: Writes that share one commit at most, so that the first of many does not wait for all.
MAX_GROUP_COMMIT = 64
#: One of this many writes goes to the writer's thread, which folds the write-ahead log into the file when it has grown.
#: The connection on the caller's thread never does, because that waits for the disk.
WRITES_PER_CHECKPOINT = 250


class TransactionScheduler:
    """Decides where a transaction of one process runs.

    For a file: on the caller's thread if that connection is free and nothing takes long; otherwise writes on the
    writer's thread, and reads on reader threads. In memory there is one connection, and one thread for all.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        engine = create_sqlite_engine(database)

        def open_writer() -> SqliteConnection:
            return connect_writer(engine, database)

        self._inline_reader: InlineConnection | None = None
        self._inline_writer: InlineConnection | None = None
        self._writes = count()
        if database.path is None:
            self.writer = self.readers = ConnectionWorker(
                "store",
                connect=open_writer,
                run_transactions=partial(run_on_single_connection, database=database),
                in_memory=True,
            )
            return
        self.writer = ConnectionWorker(
            "store-writer",
            connect=open_writer,
            run_transactions=partial(run_writes, database=database),
            max_group_size=MAX_GROUP_COMMIT,
        )
        self.readers = ConnectionWorker(
            "store-reader",
            connect=lambda: connect_reader(engine, database),
            run_transactions=partial(run_reads, database=database),
            max_threads=READER_THREADS,
        )
        self._inline_reader = InlineConnection(
            connect=lambda: connect_reader(engine, database, waits=False),
            run_transactions=partial(run_reads, database=database),
        )
        if database.synchronous != "full":  # a commit that waits for the disk would stop the event loop
            self._inline_writer = InlineConnection(
                connect=lambda: connect_inline_writer(engine, database),
                run_transactions=partial(run_reads_or_writes, database=database),
            )

    async def read(self, request: TransactionRequest[T]) -> T:
        """Run a read: on this thread if an inline connection is free, else on a reader thread."""
        # The connection that writes still has the pages that it wrote last; any other would read them from the file.
        for inline in (self._inline_writer, self._inline_reader):
            if inline is not None and inline.try_run(request):
                return request.take_result()
        return await self.readers.submit(request)

    async def write(self, request: TransactionRequest[T], *, large: bool) -> T:
        """Run a write: on this thread if it is short and nothing waits, else on the writer's thread."""
        if (
            self._inline_writer is not None
            and not large
            and not self.writer.has_queue
            and next(self._writes) % WRITES_PER_CHECKPOINT
            and self._inline_writer.try_run(request)
        ):
            return request.take_result()
        return await self.writer.submit(request)

    def close(self) -> None:
        """Accept no more requests, without waiting."""
        self._close_inline()
        self.readers.close()
        self.writer.close()

    async def wait_closed(self) -> None:
        """Wait until all have ended, the writer last: the last connection to close a file folds its log into it."""
        self._close_inline()
        await self.readers.wait_closed()
        await self.writer.wait_closed()

    def _close_inline(self) -> None:
        for inline in (self._inline_reader, self._inline_writer):
            if inline is not None:
                inline.close()


class SqliteStore:
    """`ports.Store`. Usable from several event loops at once, and by several processes on one file.

    Writes that wait when the writer becomes free share one commit; a single write does not wait for others.
    Cancelling a caller does not cancel its transaction. After a `fork` the child opens the file again; a store in
    memory stays with the parent.
    """

    def __init__(self, database: SqliteDatabase) -> None:
        self._database = database
        self._scheduler: TransactionScheduler | None = self._create_scheduler()
        self._reopen_lock = threading.Lock()
        _OPEN_STORES.add(self)

    @property
    def scheduler(self) -> TransactionScheduler:
        """The scheduler of this process."""
        return self._scheduler or self._create_scheduler_after_fork()

    def _create_scheduler(self) -> TransactionScheduler:
        scheduler = TransactionScheduler(self._database)
        self._finalizer = weakref.finalize(self, scheduler.close)
        self._finalizer.atexit = False  # workers handle the interpreter's exit themselves
        return scheduler

    async def initialize(self) -> SqliteStore:
        """Open the file and bring its schema up to date; returns the store. Raises StoreError."""
        request = TransactionRequest(lambda _: None, tenant="", writes=True)
        await self.scheduler.writer.submit(request)
        return self

    def read(self, work: Callable[[Session], T], *, tenant: str) -> Awaitable[T]:
        return self.scheduler.read(TransactionRequest(work, tenant=tenant, writes=False))

    def write(self, work: Callable[[Session], T], *, tenant: str, large: bool = False) -> Awaitable[T]:
        return self.scheduler.write(TransactionRequest(work, tenant=tenant, writes=True), large=large)

    async def aclose(self) -> None:
        _OPEN_STORES.discard(self)
        await self.scheduler.wait_closed()

    def reset_after_fork(self) -> None:
        """In a forked process: let the next transaction start new workers.

        Not before: until then the process may have replaced its locks and threads, as the workers of gunicorn do.
        """
        # The parent's threads do not exist here, and SQLite forbids to close the parent's connections.
        if self._scheduler is not None:
            _PARENT_SCHEDULERS.append(self._scheduler)
        self._finalizer.detach()
        self._scheduler = None
        self._reopen_lock = threading.Lock()

    def _create_scheduler_after_fork(self) -> TransactionScheduler:
        with self._reopen_lock:
            if self._scheduler is None:
                scheduler = self._create_scheduler()
                if self._database.path is None:
                    scheduler.close()
                self._scheduler = scheduler
            return self._scheduler


_OPEN_STORES: weakref.WeakSet[SqliteStore] = weakref.WeakSet()
#: Referenced so that they are not finalised in a child.
_PARENT_SCHEDULERS: list[TransactionScheduler] = []


def _reset_stores_after_fork() -> None:
    for store in list(_OPEN_STORES):
        store.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_reset_stores_after_fork)
