"""A queue of jobs and the threads that work through it, each with a database connection of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar
from weakref import WeakSet

from sqlalchemy import Connection

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sql.compiled_statements import driver_of
from threadbridge_adapters.stores.sqlite.transaction_request import Job, settle_all

T = TypeVar("T")

#: Does the jobs and leaves their outcomes in them; raises nothing that belongs to a job.
Serve: TypeAlias = Callable[[sqlite3.Connection, Sequence[Job[Any]]], None]

#: How long the interpreter's exit waits for writes that were handed in and never awaited.
EXIT_SECONDS = 5.0


class Lane:
    """Threads start when there is work for them and are daemons: a store nobody closed keeps no process alive."""

    def __init__(
        self, name: str, *, connect: Callable[[], Connection], serve: Serve, threads: int = 1, group: int = 1
    ) -> None:
        self._name = name
        self._connect = connect
        self._serve = serve
        self._most_threads = threads
        self._most_jobs = group
        self._queue: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._threads: dict[threading.Thread, Future[None]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._unfinished = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in line or under way."""
        return self._unfinished == 0

    def submit(self, job: Job[T]) -> asyncio.Future[T]:
        """Put the job in line, for the running loop to wait for. Raises StoreError once the lane is closed."""
        waiting = job.awaited()
        with self._lock:
            if self._closed:
                raise StoreError("The store is closed; open it again.")
            self._unfinished += 1
            self._queue.put(job)
            # One thread more when this job is not the only one waiting.
            if not self._threads or (self._queue.qsize() > 1 and len(self._threads) < self._most_threads):
                self._start_thread()
        return waiting

    def close(self) -> None:
        """Take no more jobs; the threads end when they have done what is in line. Does not wait."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._queue.put(None)

    async def closed(self) -> None:
        """Wait until everything in line is done and every connection is closed."""
        self.close()
        for thread, ended in list(self._threads.items()):
            await asyncio.wrap_future(ended)
            thread.join()

    def join(self, deadline: float) -> None:
        """Wait for the threads until a time of the monotonic clock."""
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_thread(self) -> None:
        ended: Future[None] = Future()
        ended.set_running_or_notify_cancel()  # nobody who stops waiting for it can cancel it
        thread = threading.Thread(target=self._work, args=(ended,), name=f"threadbridge-{self._name}", daemon=True)
        thread.start()
        self._threads[thread] = ended
        _LANES.add(self)

    def _work(self, ended: Future[None]) -> None:
        connection: Connection | None = None
        try:
            while jobs := self._next():
                connection = self._served(connection, jobs)
                with self._lock:
                    self._unfinished -= len(jobs)
                settle_all(jobs)
                del jobs  # or the last caller's objects would live until the next call
        finally:
            try:
                if connection is not None:
                    connection.close()
            finally:
                ended.set_result(None)

    def _served(self, connection: Connection | None, jobs: Sequence[Job[Any]]) -> Connection | None:
        try:
            connection = connection or self._connect()
            self._serve(driver_of(connection), jobs)
        except BaseException as exc:
            for job in jobs:
                job.fail(exc)
            discard(connection)
            return None
        return connection

    def _next(self) -> list[Job[Any]]:
        """The next job and what else is in line already, up to a bound; nothing when the lane has ended."""
        jobs: list[Job[Any]] = []
        job = self._queue.get()
        while job is not None:
            jobs.append(job)
            if len(jobs) == self._most_jobs:
                return jobs
            try:
                job = self._queue.get_nowait()
            except Empty:
                return jobs
        if jobs:
            self._queue.put(None)  # seen too early: these jobs come first
        return jobs


def discard(connection: Connection | None) -> None:
    """Nobody knows what state it is in; the next job gets a new one."""
    if connection is not None:
        connection.invalidate()
        connection.close()


#: Lanes whose threads were started; the interpreter's exit lets them finish.
_LANES: WeakSet[Lane] = WeakSet()
if hasattr(os, "register_at_fork"):
    # A child has no such threads, and their locks may have been held when it was made.
    os.register_at_fork(after_in_child=_LANES.clear)


@atexit.register
def _finish_lanes() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    lanes = list(_LANES)
    for lane in lanes:
        lane.close()
    for lane in lanes:
        lane.join(deadline)
