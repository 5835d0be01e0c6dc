"""A connection for the caller's own thread, where waking another would cost more than what is to be done."""

from __future__ import annotations

import atexit
import os
import sqlite3
import threading
from collections.abc import Callable
from typing import Any, TypeAlias
from weakref import WeakSet

from sqlalchemy import Connection

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sql.compiled_statements import get_driver_connection
from threadbridge_adapters.stores.sqlite.connection_worker import discard_connection
from threadbridge_adapters.stores.sqlite.transaction_request import TransactionRequest

#: Does the job and leaves its outcome in it; False where the job is for another way, which does it from the start.
InlineTransactionRunner: TypeAlias = Callable[[sqlite3.Connection, TransactionRequest[Any]], bool]


class InlineConnection:
    """Serves one job at a time and keeps nobody waiting: whoever finds it busy, held up or closed goes another way."""

    def __init__(self, *, connect: Callable[[], Connection], run_transaction: InlineTransactionRunner) -> None:
        self._connect = connect
        self._run_transaction = run_transaction
        self._connection: Connection | None = None
        self._driver: sqlite3.Connection | None = None  # the connection's own
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
            driver = self._driver or self._open_connection()
        except StoreError:
            return False  # who goes another way may be luckier, or is told why not
        try:
            return self._run_transaction(driver, request)
        except BaseException as exc:
            request.fail(exc)
            broken_connection, self._connection, self._driver = self._connection, None, None
            discard_connection(broken_connection)
            return True

    def _open_connection(self) -> sqlite3.Connection:
        self._connection = self._connect()
        self._driver = get_driver_connection(self._connection)
        _OPEN_CONNECTIONS.add(self)
        return self._driver

    def close(self) -> None:
        """Take no more jobs and close the connection, at once or when the job under way is done. Does not wait."""
        self._closed = True
        self._close_if_requested()

    def _close_if_requested(self) -> None:
        if self._closed and self._lock.acquire(blocking=False):
            try:
                connection = self._connection
                self._connection = self._driver = None
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
