"""A connection for reads on the caller's own thread, where waking another would cost more than the read."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any
from weakref import WeakSet

from sqlalchemy import Connection

from threadbridge_adapters.stores.job import Job
from threadbridge_adapters.stores.lane import Serve, discard


class Express:
    """Serves one job at a time and keeps nobody waiting: whoever finds it busy, or closed, goes another way.

    For jobs that cannot be held up themselves, as snapshots of a file in WAL mode: no writer locks them out.
    """

    def __init__(self, *, connect: Callable[[], Connection], serve: Serve) -> None:
        self._connect = connect
        self._serve = serve
        self._connection: Connection | None = None
        self._free = threading.Lock()
        self._closed = False

    def served(self, job: Job[Any]) -> bool:
        """Whether it did the job, whose outcome is settled then. On the job's own loop only."""
        if self._closed or not self._free.acquire(blocking=False):
            return False
        try:
            self._do(job)
        finally:
            self._free.release()
            self._close_if_asked()
        job.settle()
        return True

    def _do(self, job: Job[Any]) -> None:
        try:
            if self._connection is None:
                self._connection = self._connect()
                _CONNECTED.add(self)
            self._serve(self._connection, [job])
        except BaseException as exc:
            job.fail(exc)
            discard(self._connection)
            self._connection = None

    def close(self) -> None:
        """Take no more jobs and close the connection, at once or when the job under way is done. Does not wait."""
        self._closed = True
        self._close_if_asked()

    def _close_if_asked(self) -> None:
        if self._closed and self._free.acquire(blocking=False):
            try:
                connection, self._connection = self._connection, None
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
