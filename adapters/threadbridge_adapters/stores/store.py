"""`ports.Store` on SQLite: one thread writes, and a read is done where it is asked for, or on a few threads more."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection

from threadbridge.ports import Session
from threadbridge_adapters.stores import transactions
from threadbridge_adapters.stores.express import Express
from threadbridge_adapters.stores.job import Job
from threadbridge_adapters.stores.lane import Lane
from threadbridge_adapters.stores.place import Place
from threadbridge_adapters.stores.session import SqlSession
from threadbridge_adapters.stores.sqlite import connect_reader, connect_writer, make_engine

T = TypeVar("T")

#: Threads for the reads of several loops at once, the second started when one is not enough. More of them only fight
#: over the interpreter's lock (four cost twice the CPU of two on fifty concurrent reads).
READERS = 2
#: Writes that share one commit at most, so that the first of many does not wait for all.
GROUP = 64


class Lanes:
    """The ways into the database for one process: a writer and readers on a file, or one thread for all in memory."""

    def __init__(self, place: Place) -> None:
        engine = make_engine(place)

        def write(connection: Connection, jobs: Sequence[Job[Any]]) -> None:
            transactions.write(connection, jobs, place)

        def read(connection: Connection, jobs: Sequence[Job[Any]]) -> None:
            transactions.read(connection, jobs[0], place)

        def either(connection: Connection, jobs: Sequence[Job[Any]]) -> None:
            transactions.either(connection, jobs[0], place)

        def writer() -> Connection:
            return connect_writer(engine, place)

        def reader() -> Connection:
            return connect_reader(engine, place)

        if place.path is None:
            self.writing = self.reading = Lane("store", connect=writer, serve=either)
            self.express = None
        else:
            self.writing = Lane("store-writer", connect=writer, serve=write, group=GROUP)
            self.reading = Lane("store-reader", connect=reader, serve=read, threads=READERS)
            self.express = Express(connect=reader, serve=read)

    def close(self) -> None:
        """Let all end, without waiting."""
        if self.express is not None:
            self.express.close()
        self.reading.close()
        self.writing.close()

    async def closed(self) -> None:
        """Readers end first: the last connection to close a file folds its log away, and should be one that writes."""
        if self.express is not None:
            self.express.close()
        await self.reading.closed()
        await self.writing.closed()


class SqliteStore:
    """`ports.Store`. May be used from several event loops at once, and by several processes on one file.

    Writes that are waiting when the writer is free share one commit; a lone write is never kept waiting for company.
    A caller that is cancelled stops waiting, its transaction happens all the same. After a `fork` the child opens
    the file anew; a store in memory stays with the parent.
    """

    def __init__(self, place: Place) -> None:
        self._place = place
        self._begin()
        _STORES.add(self)

    def _begin(self) -> None:
        self._lanes = Lanes(self._place)
        self._abandoned = weakref.finalize(self, self._lanes.close)
        self._abandoned.atexit = False  # lanes see to the interpreter's exit themselves

    async def opened(self) -> SqliteStore:
        """The store with its schema up to date. Raises StoreError where that cannot be."""
        await self._submit(self._lanes.writing, lambda _: None, tenant="", writes=True)
        return self

    async def read(self, work: Callable[[Session], T], *, tenant: str) -> T:
        job = Job(work, tenant=tenant, writes=False)
        express = self._lanes.express
        if express is None or not express.served(job):
            self._lanes.reading.submit(job)
        return await job.future

    async def write(self, work: Callable[[Session], T], *, tenant: str) -> T:
        return await self._submit(self._lanes.writing, work, tenant=tenant, writes=True)

    async def aclose(self) -> None:
        _STORES.discard(self)
        await self._lanes.closed()

    async def _submit(self, lane: Lane, work: Callable[[SqlSession], T], *, tenant: str, writes: bool) -> T:
        job = Job(work, tenant=tenant, writes=writes)
        lane.submit(job)
        return await job.future

    def begin_in_child(self) -> None:
        """Start anew in a forked process."""
        # The parent's threads are not here and its connections must not even be closed: SQLite forbids both.
        _PARENTS.append(self._lanes)
        self._abandoned.detach()
        self._begin()
        if self._place.path is None:
            self._lanes.close()


_STORES: weakref.WeakSet[SqliteStore] = weakref.WeakSet()
#: Kept, never used, so that nothing finalises them in a child.
_PARENTS: list[Lanes] = []


def _after_fork_in_child() -> None:
    for store in list(_STORES):
        store.begin_in_child()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
