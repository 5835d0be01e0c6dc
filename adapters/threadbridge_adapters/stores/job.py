"""One transaction that somebody waits for, on whatever event loop they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from threadbridge_adapters.stores.session import SqlSession

T = TypeVar("T")


class Job(Generic[T]):
    """Work for one session and the future its outcome goes to. Made on the loop that will wait for it."""

    _result: T  # once run

    __slots__ = ("_error", "_result", "future", "loop", "tenant", "work", "writes")

    def __init__(self, work: Callable[[SqlSession], T], *, tenant: str, writes: bool) -> None:
        self.work = work
        self.tenant = tenant
        self.writes = writes
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[T] = self.loop.create_future()
        self._error: BaseException | None = None

    @property
    def failed(self) -> bool:
        """Whether the last attempt failed."""
        return self._error is not None

    def run(self, connection: Connection) -> None:
        """Do the work, from the start; what it raises is for the caller to roll back, and to pass to `fail`."""
        self._error = None
        self._result = self.work(SqlSession(connection, self.tenant))

    def fail(self, error: BaseException) -> None:
        """Remember what went wrong; the first reason stays."""
        if self._error is None:
            # A future takes every exception but this one.
            self._error = RuntimeError("the work raised StopIteration") if isinstance(error, StopIteration) else error

    def settle(self) -> None:
        """Hand the outcome over; on the job's own loop only. Whoever gave up waiting gets nothing."""
        error, self._error = self._error, None
        if self.future.done():
            return
        if error is not None:
            self.future.set_exception(error)
        else:
            self.future.set_result(self._result)


def settle_all(jobs: Sequence[Job[Any]]) -> None:
    """Wake everybody who waits for these jobs, each loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Job[Any]]] = {}
    for job in jobs:
        by_loop.setdefault(job.loop, []).append(job)
    for loop, waiting in by_loop.items():
        try:
            loop.call_soon_threadsafe(_settle, waiting)
        except RuntimeError:  # the loop was closed: nobody waits there any more
            continue


def _settle(jobs: Sequence[Job[Any]]) -> None:
    for job in jobs:
        job.settle()
