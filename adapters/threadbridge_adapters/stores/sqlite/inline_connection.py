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
from threadbridge_adapters.stores.sql.compiled_statements import driver_of
from threadbridge_adapters.stores.sqlite.connection_worker import discard
from threadbridge_adapters.stores.sqlite.transaction_request import Job

#: Does the job and leaves its outcome in it; False where the job is for another way, which does it from the start.
ServeAtOnce: TypeAlias = Callable[[sqlite3.Connection, Job[Any]], bool]


class Express:
    """Serves one job at a time and keeps nobody waiting: whoever finds it busy, held up or closed goes another way."""

    def __init__(self, *, connect: Callable[[], Connection], serve: ServeAtOnce) -> None:
        self._connect = connect
        self._serve = serve
        self._connection: Connection | None = None
        self._driver: sqlite3.Connection | None = None  # the connection's own
        self._free = threading.Lock()
        self._closed = False

    def served(self, job: Job[Any]) -> bool:
        """Whether it did the job, whose outcome is there then. On any thread."""
        if self._closed or not self._free.acquire(blocking=False):
            return False
        try:
            return self._do(job)
        finally:
            self._free.release()
            self._close_if_asked()

    def _do(self, job: Job[Any]) -> bool:
        try:
            driver = self._driver or self._connected()
        except StoreError:
            return False  # who goes another way may be luckier, or is told why not
        try:
            return self._serve(driver, job)
        except BaseException as exc:
            job.fail(exc)
            broken, self._connection, self._driver = self._connection, None, None
            discard(broken)
            return True

    def _connected(self) -> sqlite3.Connection:
        self._connection = self._connect()
        self._driver = driver_of(self._connection)
        _CONNECTED.add(self)
        return self._driver

    def close(self) -> None:
        """Take no more jobs and close the connection, at once or when the job under way is done. Does not wait."""
        self._closed = True
        self._close_if_asked()

    def _close_if_asked(self) -> None:
        if self._closed and self._free.acquire(blocking=False):
            try:
                connection = self._connection
                self._connection = self._driver = None
                if connection is not None:
                    connection.close()
            finally:
                self._free.release()


#: Those with a connection; the interpreter's exit closes it before the lanes', the writer's being the last.
_CONNECTED: WeakSet[Express] = WeakSet()
if hasattr(os, "register_at_fork"):
    # SQLite forbids a child to close what its parent opened.
    os.register_at_fork(after_in_child=_CONNECTED.clear)


@atexit.register
def _close_all() -> None:
    for express in list(_CONNECTED):
        express.close()
