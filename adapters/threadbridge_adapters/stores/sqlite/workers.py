"""Where transactions run: on worker threads that own connections, or, short ones, on the caller's thread."""

from __future__ import annotations

import asyncio
import atexit
import os
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias, TypeVar
from weakref import WeakSet

from threadbridge.errors import StoreError
from threadbridge.runtime.fork_locks import ForkLock
from threadbridge_adapters.stores.sqlite.connection import SqliteConnection
from threadbridge_adapters.stores.sqlite.transactions import TransactionRequest

T = TypeVar("T")

#: Runs the requests and leaves their outcomes in them; raises only what leaves the connection in an unknown state.
GroupRunner: TypeAlias = Callable[[SqliteConnection, Sequence[TransactionRequest[Any]]], None]

#: How long the interpreter's exit waits for writes that nobody awaited.
EXIT_SECONDS = 5.0


class ConnectionSlot:
    """One connection, opened by its first use and used while `lock` is held.

    A fork waits for that lock and closes the connection to a file, in parent and child: SQLite keeps the locks of a
    process in its memory, so a child that inherits them would read and write without locking the file.
    """

    def __init__(self, connect: Callable[[], SqliteConnection], *, in_memory: bool) -> None:
        self._connect = connect
        self._connection: SqliteConnection | None = None
        self.lock = ForkLock(None if in_memory else self.close)

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    def open(self) -> SqliteConnection:
        """The connection."""
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def close(self) -> None:
        """Close the connection; the next use opens another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def discard(self) -> None:
        """Close a connection that failed in an unknown way."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.discard()


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
        in_memory: bool = False,
        max_threads: int = 1,
        max_group_size: int = 1,
    ) -> None:
        self._name = name
        self._in_memory = in_memory
        self._connect = connect
        self._run_transactions = run_transactions
        self._max_threads = max_threads
        self._max_group_size = max_group_size
        # By the name in its module, which gevent may have replaced since this module was imported.
        self._queue: queue.SimpleQueue[TransactionRequest[Any] | None] = queue.SimpleQueue()
        self._threads: dict[threading.Thread, Future[None]] = {}
        self._lock = threading.Lock()
        self._closed = False

    def submit(self, request: TransactionRequest[T]) -> asyncio.Future[T]:
        """Queue a request; the future belongs to the running loop. Raises StoreError after `close`."""
        future = request.create_future()
        thread: threading.Thread | None = None
        with self._lock:
            if self._closed:
                raise StoreError("The store is closed; open it again.")
            self._queue.put(request)
            # One more thread when other requests wait already.
            if not self._threads or (self._queue.qsize() > 1 and len(self._threads) < self._max_threads):
                thread = self._add_thread()
        if thread is not None:
            self._start_thread(thread)  # without the lock: under gevent a start switches to other greenlets
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
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _add_thread(self) -> threading.Thread:
        stopped: Future[None] = Future()
        stopped.set_running_or_notify_cancel()  # a cancelled waiter must not cancel it
        thread = threading.Thread(
            target=self._run_thread, args=(stopped,), name=f"threadbridge-{self._name}", daemon=True
        )
        self._threads[thread] = stopped
        return thread

    def _start_thread(self, thread: threading.Thread) -> None:
        try:
            thread.start()
        except RuntimeError:
            del self._threads[thread]
            raise
        _STARTED_WORKERS.add(self)

    def _run_thread(self, stopped: Future[None]) -> None:
        slot = ConnectionSlot(self._connect, in_memory=self._in_memory)
        try:
            while requests := self._take_next_group():
                with slot.lock:
                    try:
                        self._run_transactions(slot.open(), requests)
                    except BaseException as exc:
                        _fail_all(requests, exc)
                        slot.discard()
                _resolve_futures(requests)
                del requests  # or the last caller's objects would live until the next request
        finally:
            try:
                with slot.lock:
                    slot.close()
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
            except queue.Empty:
                return requests
        if requests:
            self._queue.put(None)  # these requests were queued before the end
        return requests


class InlineConnection:
    """A connection for short transactions on the caller's thread: waking another thread would cost more.

    It serves one at a time and never waits: a transaction that finds it busy, closed or the file locked goes to a
    worker.
    """

    def __init__(self, *, connect: Callable[[], SqliteConnection], run_transactions: GroupRunner) -> None:
        self._slot = ConnectionSlot(connect, in_memory=False)
        self._run_transactions = run_transactions
        self._closed = False

    def try_run(self, request: TransactionRequest[Any]) -> bool:
        """Run the transaction now if the connection is free; False if a worker should run it from its start."""
        slot = self._slot
        if self._closed or not slot.lock.try_acquire():
            return False
        try:
            if not slot.is_open:
                slot.open()
                _OPEN_INLINE.add(self)
            try:
                self._run_transactions(slot.open(), [request])
            except BaseException as exc:
                request.fail(exc)
                slot.discard()
                return True
        except StoreError:
            return False  # no connection; the worker may get one, or reports why not
        else:
            return not request.has_store_error
        finally:
            slot.lock.release()
            self._close_if_requested()

    def close(self) -> None:
        """Refuse further transactions and close the connection when the current one has ended. Does not wait."""
        self._closed = True
        self._close_if_requested()

    def _close_if_requested(self) -> None:
        if self._closed and self._slot.lock.try_acquire():
            try:
                self._slot.close()
            finally:
                self._slot.lock.release()


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
