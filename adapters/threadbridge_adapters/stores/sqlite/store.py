"""`ports.Store` on SQLite: one thread writes, and a read is done where it is asked for, or on a few threads more."""

from __future__ import annotations

import os
import sqlite3
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from threadbridge.ports import Session, may_wait
from threadbridge_adapters.stores.sqlite import transactions
from threadbridge_adapters.stores.sqlite.connection import (
    connect_impatient_writer,
    connect_reader,
    connect_writer,
    make_engine,
)
from threadbridge_adapters.stores.sqlite.connection_worker import Lane
from threadbridge_adapters.stores.sqlite.inline_connection import Express
from threadbridge_adapters.stores.sqlite.sqlite_url import Place
from threadbridge_adapters.stores.sqlite.transaction_request import Job

T = TypeVar("T")

#: Threads for the reads of several loops at once, the second started when one is not enough. More of them only fight
#: over the interpreter's lock (four cost twice the CPU of two on fifty concurrent reads).
READERS = 2
#: Writes that share one commit at most, so that the first of many does not wait for all.
GROUP = 64
#: Writes on the caller's thread before one goes to the writer, which then folds SQLite's log into the file: some 10 MB
#: of usual runs by then. That costs as much as a run or two, whatever it finds.
AT_ONCE_IN_A_ROW = 250


class Lanes:
    """The ways into the database for one process.

    For a file: short cuts on the caller's thread while nobody else is at it, else a writer and readers with threads of
    their own. In memory there is one connection, and one thread for all.
    """

    def __init__(self, place: Place) -> None:
        engine = make_engine(place)

        def write(driver: sqlite3.Connection, jobs: Sequence[Job[Any]]) -> None:
            transactions.write(driver, jobs, place)

        def at_once(driver: sqlite3.Connection, job: Job[Any]) -> bool:
            return transactions.at_once(driver, job, place)

        def read(driver: sqlite3.Connection, jobs: Sequence[Job[Any]]) -> None:
            transactions.read(driver, jobs[0], place)

        def read_at_once(driver: sqlite3.Connection, job: Job[Any]) -> bool:
            transactions.read(driver, job, place)  # no writer locks a snapshot out
            return True

        def either(driver: sqlite3.Connection, jobs: Sequence[Job[Any]]) -> None:
            transactions.either(driver, jobs[0], place)

        def writer() -> Connection:
            return connect_writer(engine, place)

        def impatient_writer() -> Connection:
            return connect_impatient_writer(engine, place)

        def reader() -> Connection:
            return connect_reader(engine, place)

        self._written_at_once = 0
        self._at_once: Express | None = None
        self._reading_at_once: Express | None = None
        if place.path is None:
            self.writing = self.reading = Lane("store", connect=writer, serve=either)
            return
        self.writing = Lane("store-writer", connect=writer, serve=write, group=GROUP)
        self.reading = Lane("store-reader", connect=reader, serve=read, threads=READERS)
        self._reading_at_once = Express(connect=reader, serve=read_at_once)
        if place.synchronous == "normal":  # else every commit waits for the disk
            self._at_once = Express(connect=impatient_writer, serve=at_once)

    async def read(self, job: Job[T]) -> T:
        """The outcome of the job, done here and now if that keeps nobody waiting."""
        # What was just written is still at hand where it was written; any other connection would fetch it anew. In
        # return a write of another thread may find that connection busy, and goes by the writer.
        for express in (self._at_once, self._reading_at_once):
            if express is not None and express.served(job):
                return job.outcome()
        await may_wait()
        return await self.reading.submit(job)

    async def write(self, job: Job[T]) -> T:
        """The outcome of the job, done after those that were handed in before."""
        if self._at_once is not None and self.writing.is_idle and self._written_at_once < AT_ONCE_IN_A_ROW:
            self._written_at_once += 1
            if self._at_once.served(job):
                return job.outcome()
        self._written_at_once = 0
        await may_wait()
        return await self.writing.submit(job)

    def close(self) -> None:
        """Let all end, without waiting."""
        self._close_short_cuts()
        self.reading.close()
        self.writing.close()

    async def closed(self) -> None:
        """Readers end first: the last connection to close a file folds its log away, and should be one that writes."""
        self._close_short_cuts()
        await self.reading.closed()
        await self.writing.closed()

    def _close_short_cuts(self) -> None:
        for express in (self._reading_at_once, self._at_once):
            if express is not None:
                express.close()


class SqliteStore:
    """`ports.Store`. May be used from several event loops at once, and by several processes on one file.

    Writes that are waiting when the writer is free share one commit; a lone write is never kept waiting for company.
    A caller that is cancelled stops waiting, its transaction happens all the same. After a `fork` the child opens
    the file anew; a store in memory stays with the parent.
    """

    begins_at_once = True

    def __init__(self, place: Place) -> None:
        self._place = place
        self._begin()
        _STORES.add(self)

    def _begin(self) -> None:
        self.lanes = Lanes(self._place)
        self._abandoned = weakref.finalize(self, self.lanes.close)
        self._abandoned.atexit = False  # lanes see to the interpreter's exit themselves

    async def opened(self) -> SqliteStore:
        """The store with its schema up to date. Raises StoreError where that cannot be."""
        job = Job(lambda _: None, tenant="", writes=True)
        await self.lanes.writing.submit(job)
        return self

    async def read(self, work: Callable[[Session], T], *, tenant: str) -> T:
        return await self.lanes.read(Job(work, tenant=tenant, writes=False))

    async def write(self, work: Callable[[Session], T], *, tenant: str) -> T:
        return await self.lanes.write(Job(work, tenant=tenant, writes=True))

    async def aclose(self) -> None:
        _STORES.discard(self)
        await self.lanes.closed()

    def begin_in_child(self) -> None:
        """Start anew in a forked process."""
        # The parent's threads are not here and its connections must not even be closed: SQLite forbids both.
        _PARENTS.append(self.lanes)
        self._abandoned.detach()
        self._begin()
        if self._place.path is None:
            self.lanes.close()


_STORES: weakref.WeakSet[SqliteStore] = weakref.WeakSet()
#: Kept, never used, so that nothing finalises them in a child.
_PARENTS: list[Lanes] = []


def _after_fork_in_child() -> None:
    for store in list(_STORES):
        store.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
