"""A queue of jobs and the threads that work through it, each with a database connection of its own."""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, TypeAlias, TypeVar
from weakref import WeakSet

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sqlite.connection import SqliteConnection
from threadbridge_adapters.stores.sqlite.transaction_request import TransactionRequest, resolve_futures

T = TypeVar("T")

#: Does the jobs and leaves their outcomes in them; raises nothing that belongs to a job.
TransactionGroupRunner: TypeAlias = Callable[[SqliteConnection, Sequence[TransactionRequest[Any]]], None]

#: How long the interpreter's exit waits for writes that were handed in and never awaited.
EXIT_SECONDS = 5.0


class ConnectionWorker:
    """Threads start when there is work for them and are daemons: a store nobody closed keeps no process alive."""

    def __init__(
        self,
        name: str,
        *,
        connect: Callable[[], SqliteConnection],
        run_transactions: TransactionGroupRunner,
        max_threads: int = 1,
        max_group_size: int = 1,
    ) -> None:
        self._name = name
        self._connect = connect
        self._run_transactions = run_transactions
        self._max_threads = max_threads
        self._max_group_size = max_group_size
        self._queue: SimpleQueue[TransactionRequest[Any] | None] = SimpleQueue()
        self._threads: dict[threading.Thread, Future[None]] = {}
        self._lock = threading.Lock()
        self._closed = False
        self._pending_count = 0

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in line or under way."""
        return self._pending_count == 0

    def submit(self, request: TransactionRequest[T]) -> asyncio.Future[T]:
        """Put the job in line, for the running loop to wait for. Raises StoreError once the lane is closed."""
        future = request.create_future()
        with self._lock:
            if self._closed:
                raise StoreError("The store is closed; open it again.")
            self._pending_count += 1
            self._queue.put(request)
            # One thread more when this job is not the only one waiting.
            if not self._threads or (self._queue.qsize() > 1 and len(self._threads) < self._max_threads):
                self._start_thread()
        return future

    def close(self) -> None:
        """Take no more jobs; the threads end when they have done what is in line. Does not wait."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._queue.put(None)

    async def wait_closed(self) -> None:
        """Wait until everything in line is done and every connection is closed."""
        self.close()
        for thread, stopped in list(self._threads.items()):
            await asyncio.wrap_future(stopped)
            thread.join()

    def join(self, deadline: float) -> None:
        """Wait for the threads until a time of the monotonic clock."""
        for thread in list(self._threads):
            thread.join(max(0.0, deadline - time.monotonic()))

    def _start_thread(self) -> None:
        stopped: Future[None] = Future()
        stopped.set_running_or_notify_cancel()  # nobody who stops waiting for it can cancel it
        thread = threading.Thread(
            target=self._run_thread, args=(stopped,), name=f"threadbridge-{self._name}", daemon=True
        )
        thread.start()
        self._threads[thread] = stopped
        _STARTED_WORKERS.add(self)

    def _run_thread(self, stopped: Future[None]) -> None:
        connection: SqliteConnection | None = None
        try:
            while requests := self._take_next_group():
                connection = self._run_group(connection, requests)
                with self._lock:
                    self._pending_count -= len(requests)
                resolve_futures(requests)
                del requests  # or the last caller's objects would live until the next call
        finally:
            try:
                if connection is not None:
                    connection.close()
            finally:
                stopped.set_result(None)

    def _run_group(
        self, connection: SqliteConnection | None, requests: Sequence[TransactionRequest[Any]]
    ) -> SqliteConnection | None:
        try:
            connection = connection or self._connect()
            self._run_transactions(connection, requests)
        except BaseException as exc:
            for request in requests:
                request.fail(exc)
            if connection is not None:
                connection.discard()
            return None
        return connection

    def _take_next_group(self) -> list[TransactionRequest[Any]]:
        """The next job and what else is in line already, up to a bound; nothing when the lane has ended."""
        requests: list[TransactionRequest[Any]] = []
        request = self._queue.get()
        while request is not None:
            requests.append(request)
            if len(requests) == self._max_group_size:
                return requests
            try:
                request = self._queue.get_nowait()
            except Empty:
                return requests
        if requests:
            self._queue.put(None)  # seen too early: these jobs come first
        return requests


#: Lanes whose threads were started; the interpreter's exit lets them finish.
_STARTED_WORKERS: WeakSet[ConnectionWorker] = WeakSet()
if hasattr(os, "register_at_fork"):
    # A child has no such threads, and their locks may have been held when it was made.
    os.register_at_fork(after_in_child=_STARTED_WORKERS.clear)


@atexit.register
def _drain_workers() -> None:
    deadline = time.monotonic() + EXIT_SECONDS
    workers = list(_STARTED_WORKERS)
    for worker in workers:
        worker.close()
    for worker in workers:
        worker.join(deadline)
