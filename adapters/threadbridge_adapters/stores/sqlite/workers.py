"""Where transactions run: on worker threads that own connections, or, short ones, on the caller's thread."""

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
from threadbridge_adapters.stores.sqlite.transactions import TransactionRequest

T = TypeVar("T")

#: Runs the requests and leaves their outcomes in them; raises only what leaves the connection in an unknown state.
GroupRunner: TypeAlias = Callable[[SqliteConnection, Sequence[TransactionRequest[Any]]], None]

#: How long the interpreter's exit waits for writes that nobody awaited.
EXIT_SECONDS = 5.0


class ConnectionWorker:
    """A queue of requests and the threads that serve it, each with its own connection.

    Threads start when there is work, and are daemons: a store that was not closed does not keep its process alive.
    """

    def __init__(
        self,
        name: str,
        *,
        connect: Callable[[], SqliteConnection],
        run_transactions: GroupRunner,
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

    def submit(self, request: TransactionRequest[T]) -> asyncio.Future[T]:
        """Queue a request; the future belongs to the running loop. Raises StoreError after `close`."""
        future = request.create_future()
        with self._lock:
            if self._closed:
                raise StoreError("The store is closed; open it again.")
            self._queue.put(request)
            # One more thread when other requests wait already.
            if not self._threads or (self._queue.qsize() > 1 and len(self._threads) < self._max_threads):
                self._start_thread()
        return future

    @property
    def has_queue(self) -> bool:
        """Whether requests wait for a thread."""
        return not self._queue.empty()

    def close(self) -> None:
        """Accept no more requests; the threads end when the queue is empty. Does not wait."""
        with self._lock:
            if not self._closed:
                self._closed = True
                for _ in self._threads:
                    self._queue.put(None)

    async def wait_closed(self) -> None:
        """Close, and wait until the queue is empty and every connection closed."""
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
        stopped.set_running_or_notify_cancel()  # a cancelled waiter must not cancel it
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
                try:
                    connection = connection or self._connect()
                    self._run_transactions(connection, requests)
                except BaseException as exc:
                    _fail_all(requests, exc)
                    if connection is not None:
                        connection.discard()
                        connection = None
                _resolve_futures(requests)
                del requests  # or the last caller's objects would live until the next request
        finally:
            try:
                if connection is not None:
                    connection.close()
            finally:
                stopped.set_result(None)

    def _take_next_group(self) -> list[TransactionRequest[Any]]:
        """The next request and those queued behind it, up to the group size; empty after `close`."""
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
            self._queue.put(None)  # these requests were queued before the end
        return requests


class InlineConnection:
    """A connection for short transactions on the caller's thread: waking another thread would cost more.

    It serves one at a time and never waits: a transaction that finds it busy, closed or the file locked goes to a
    worker.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], SqliteConnection],
        run_transactions: GroupRunner,
    ) -> None:
        self._connect = connect
        self._run_transactions = run_transactions
        self._connection: SqliteConnection | None = None
        self._lock = threading.Lock()
        self._closed = False

    def try_run(self, request: TransactionRequest[Any]) -> bool:
        """Run the transaction now if the connection is free; False if a worker should run it from its start."""
        if self._closed or not self._lock.acquire(blocking=False):
            return False
        try:
            connection = self._connection
            if connection is None:
                connection = self._connection = self._connect()
                _OPEN_INLINE.add(self)
            try:
                self._run_transactions(connection, [request])
            except BaseException as exc:
                request.fail(exc)
                self._connection = None
                connection.discard()
                return True
        except StoreError:
            return False  # no connection; the worker may get one, or reports why not
        else:
            return not request.has_store_error
        finally:
            self._lock.release()
            self._close_if_requested()

    def close(self) -> None:
        """Refuse further transactions and close the connection when the current one has ended. Does not wait."""
        self._closed = True
        self._close_if_requested()

    def _close_if_requested(self) -> None:
        if self._closed and self._lock.acquire(blocking=False):
            try:
                connection, self._connection = self._connection, None
                if connection is not None:
                    connection.close()
            finally:
                self._lock.release()


def _fail_all(requests: Sequence[TransactionRequest[Any]], error: BaseException) -> None:
    for request in requests:
        request.fail(error)


def _resolve_futures(requests: Sequence[TransactionRequest[Any]]) -> None:
    """Deliver the outcomes, with one call for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[TransactionRequest[Any]]] = {}
    for request in requests:
        if request.loop is not None:
            by_loop.setdefault(request.loop, []).append(request)
    for loop, waiting in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve_on_loop, waiting)
        except RuntimeError:  # the loop was closed: nothing waits on it
            continue


def _resolve_on_loop(requests: Sequence[TransactionRequest[Any]]) -> None:
    for request in requests:
        request.resolve_future()


#: What the interpreter's exit has to close.
_STARTED_WORKERS: WeakSet[ConnectionWorker] = WeakSet()
_OPEN_INLINE: WeakSet[InlineConnection] = WeakSet()
if hasattr(os, "register_at_fork"):
    # A child has no such threads, and SQLite forbids it to close what its parent opened.
    os.register_at_fork(after_in_child=_STARTED_WORKERS.clear)
    os.register_at_fork(after_in_child=_OPEN_INLINE.clear)


@atexit.register
def _close_all() -> None:
    # Workers last: the last connection to close a file folds its log into it, and has to be able to write.
    for inline in list(_OPEN_INLINE):
        inline.close()
    deadline = time.monotonic() + EXIT_SECONDS
    workers = list(_STARTED_WORKERS)
    for worker in workers:
        worker.close()
    for worker in workers:
        worker.join(deadline)
