"""A connection for the caller's own thread, where waking another would cost more than what is to be done."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import WeakSet

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sqlite.connection import SqliteConnection
from threadbridge_adapters.stores.sqlite.transaction_request import TransactionRequest

#: Does the job and leaves its outcome in it; False where the job is for another way, which does it from the start.
InlineTransactionRunner: TypeAlias = Callable[[SqliteConnection, TransactionRequest[Any]], bool]


class InlineConnection:
    """Serves one job at a time and keeps nobody waiting: whoever finds it busy, held up or closed goes another way."""

    def __init__(self, *, connect: Callable[[], SqliteConnection], run_transaction: InlineTransactionRunner) -> None:
        self._connect = connect
        self._run_transaction = run_transaction
        self._connection: SqliteConnection | None = None
        self._lock = threading.Lock()
        self._closed = False

    def try_run(self, request: TransactionRequest[Any]) -> bool:
        """Whether it did the job, whose outcome is there then. On any thread."""
        if self._closed or not self._lock.acquire(blocking=False):
            return False
        try:
            return self._run(request)
        finally:
            self._lock.release()
            self._close_if_requested()

    def _run(self, request: TransactionRequest[Any]) -> bool:
        try:
            connection = self._connection or self._open_connection()
        except StoreError:
            return False  # who goes another way may be luckier, or is told why not
        try:
            return self._run_transaction(connection, request)
        except BaseException as exc:
            request.fail(exc)
            self._connection = None
            connection.discard()
            return True

    def _open_connection(self) -> SqliteConnection:
        connection = self._connection = self._connect()
        _OPEN_CONNECTIONS.add(self)
        return connection

    def close(self) -> None:
        """Take no more jobs and close the connection, at once or when the job under way is done. Does not wait."""
        self._closed = True
        self._close_if_requested()

    def _close_if_requested(self) -> None:
        if self._closed and self._lock.acquire(blocking=False):
            try:
                connection = self._connection
                self._connection = None
                if connection is not None:
                    connection.close()
            finally:
                self._lock.release()


#: Those with a connection; the interpreter's exit closes it before the lanes', the writer's being the last.
_OPEN_CONNECTIONS: WeakSet[InlineConnection] = WeakSet()
if hasattr(os, "register_at_fork"):
    # SQLite forbids a child to close what its parent opened.
    os.register_at_fork(after_in_child=_OPEN_CONNECTIONS.clear)


@atexit.register
def _close_all() -> None:
    for connection in list(_OPEN_CONNECTIONS):
        connection.close()
