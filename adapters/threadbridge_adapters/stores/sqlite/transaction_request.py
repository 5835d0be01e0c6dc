"""One transaction that somebody waits for, on whatever event loop they wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sql.session import SqlSession
from threadbridge_adapters.stores.sqlite.connection import SqliteConnection

T = TypeVar("T")


class TransactionRequest(Generic[T]):
    """Work for one session, and its outcome. Only where somebody has to wait for it is there a future."""

    _result: T  # once run

    __slots__ = ("_error", "_result", "_waiting", "tenant", "work", "writes")

    def __init__(self, work: Callable[[SqlSession], T], *, tenant: str, writes: bool) -> None:
        self.work = work
        self.tenant = tenant
        self.writes = writes
        self._error: BaseException | None = None
        self._waiting: asyncio.Future[T] | None = None

    @property
    def failed(self) -> bool:
        """Whether the last attempt failed."""
        return self._error is not None

    @property
    def has_store_error(self) -> bool:
        """Whether it failed for what the store could not do."""
        return isinstance(self._error, StoreError)

    def execute(self, connection: SqliteConnection) -> None:
        """Do the work, from the start; what it raises is for the caller to roll back, and to pass to `fail`."""
        self._error = None
        self._result = self.work(SqlSession(connection, self.tenant))

    def fail(self, error: BaseException) -> None:
        """Remember what went wrong; the first reason stays."""
        if self._error is None:
            # Neither a future nor a coroutine passes this exception on as it is.
            self._error = RuntimeError("the work raised StopIteration") if isinstance(error, StopIteration) else error

    def take_result(self) -> T:
        """What came of it, once; raises what went wrong."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._result

    def create_future(self) -> asyncio.Future[T]:
        """A future on the running loop that the outcome goes to."""
        self._waiting = asyncio.get_running_loop().create_future()
        return self._waiting

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Where somebody waits for it."""
        return None if self._waiting is None else self._waiting.get_loop()

    def resolve_future(self) -> None:
        """Hand the outcome over; on the loop that waits only. Whoever gave up waiting gets nothing."""
        error, self._error = self._error, None
        waiting = self._waiting
        if waiting is None or waiting.done():
            return
        if error is not None:
            waiting.set_exception(error)
        else:
            waiting.set_result(self._result)


def resolve_futures(requests: Sequence[TransactionRequest[Any]]) -> None:
    """Wake everybody who waits for these jobs, each loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[TransactionRequest[Any]]] = {}
    for request in requests:
        if request.loop is not None:
            by_loop.setdefault(request.loop, []).append(request)
    for loop, waiting in by_loop.items():
        try:
            loop.call_soon_threadsafe(_resolve_on_loop, waiting)
        except RuntimeError:  # the loop was closed: nobody waits there any more
            continue


def _resolve_on_loop(requests: Sequence[TransactionRequest[Any]]) -> None:
    for request in requests:
        request.resolve_future()
