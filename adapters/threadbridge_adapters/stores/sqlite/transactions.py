"""Requests for a transaction, and how they run on a connection: reads one by one, writes in groups that share a commit.

The driver begins and ends transactions: through SQLAlchemy that alone would cost as much as a short transaction.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sql.session import SqlSession
from threadbridge_adapters.stores.sqlite.connection import (
    DRIVER_ERRORS,
    SqliteConnection,
    SqliteDatabase,
    is_lock_timeout,
    to_store_error,
)

T = TypeVar("T")

#: How often a write tries to lock a file that another process keeps locked, each time for the whole busy timeout.
LOCK_ATTEMPTS = 3


class TransactionRequest(Generic[T]):
    """A function to run in one transaction, and its outcome."""

    _result: T  # set by `succeed`

    __slots__ = ("_error", "_future", "_result", "tenant", "work", "writes")

    def __init__(self, work: Callable[[SqlSession], T], *, tenant: str, writes: bool) -> None:
        self.work = work
        self.tenant = tenant
        self.writes = writes
        self._error: BaseException | None = None
        self._future: asyncio.Future[T] | None = None

    @property
    def has_failed(self) -> bool:
        """Whether the last attempt failed."""
        return self._error is not None

    @property
    def has_store_error(self) -> bool:
        """Whether it failed because of the database, not of the work."""
        return isinstance(self._error, StoreError)

    def start(self) -> None:
        """Forget the outcome of an earlier attempt."""
        self._error = None

    def succeed(self, result: T) -> None:
        """Record the result."""
        self._result = result

    def fail(self, error: BaseException) -> None:
        """Record an error; the first one stays."""
        if self._error is None:
            # Neither a future nor a coroutine passes StopIteration on as it is.
            self._error = RuntimeError("the work raised StopIteration") if isinstance(error, StopIteration) else error

    def take_result(self) -> T:
        """The result, once; raises the recorded error."""
        error, self._error = self._error, None
        if error is not None:
            raise error
        return self._result

    def create_future(self) -> asyncio.Future[T]:
        """A future of the running loop that receives the outcome."""
        self._future = asyncio.get_running_loop().create_future()
        return self._future

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The loop of its future."""
        return None if self._future is None else self._future.get_loop()

    def resolve_future(self) -> None:
        """Give the outcome to the future, unless that was cancelled. Only on its loop."""
        error, self._error = self._error, None
        if self._future is None or self._future.done():
            return
        if error is not None:
            self._future.set_exception(error)
        else:
            self._future.set_result(self._result)


class _TransactionLost(Exception):
    """SQLite ended the transaction by itself, as it does after some failures, and discarded its changes."""


def run_reads(
    connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase
) -> None:
    """Run reads one after another, each on one snapshot of the data."""
    for request in requests:
        try:
            connection.driver.execute("BEGIN")
            _run_request(connection, request, database, operation="read")
        except _TransactionLost:
            pass  # recorded in the request
        except DRIVER_ERRORS as exc:
            request.fail(to_store_error("read", database, exc))
        finally:
            connection.driver.rollback()


def run_writes(
    connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase
) -> None:
    """Run writes one after another and commit them together. One that fails is rolled back alone."""
    try:
        _begin_write(connection)
    except DRIVER_ERRORS as exc:
        _fail_all(requests, database, exc)
        return
    try:
        if len(requests) > 1:
            _run_in_savepoints(connection, requests, database)
            connection.driver.commit()
        elif _run_request(connection, requests[0], database, operation="written"):
            connection.driver.commit()
    except _TransactionLost:
        connection.driver.rollback()
        if len(requests) > 1:
            # The disk was full, for example: each runs again alone, and those that need less space succeed.
            for request in requests:
                run_writes(connection, [request], database)
    except DRIVER_ERRORS as exc:
        _fail_all(requests, database, exc)
    finally:
        connection.driver.rollback()  # does nothing after a commit


def run_reads_or_writes(
    connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase
) -> None:
    """Run one request on a connection that can do both. A read that writes is rolled back and fails."""
    (request,) = requests
    if request.writes:
        run_writes(connection, requests, database)
        return
    changes = connection.driver.total_changes
    run_reads(connection, requests, database)
    if connection.driver.total_changes != changes:
        request.fail(StoreError(f"The store {database} could not be read: the read tried to write."))


def run_on_single_connection(
    connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase
) -> None:
    """Run reads and writes on the only connection of a store in memory."""
    for request in requests:
        if request.writes:
            run_writes(connection, [request], database)
            continue
        connection.set_read_only(on=True)
        try:
            run_reads(connection, [request], database)
        finally:
            connection.set_read_only(on=False)


def _begin_write(connection: SqliteConnection) -> None:
    """Take the write lock at once: a transaction that starts as a read can fail when it first writes."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            connection.driver.execute("BEGIN IMMEDIATE")
        except DRIVER_ERRORS as exc:
            if attempt == LOCK_ATTEMPTS or not is_lock_timeout(exc):
                raise
        else:
            return


def _run_in_savepoints(
    connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase
) -> None:
    for request in requests:
        connection.driver.execute("SAVEPOINT request")
        if not _run_request(connection, request, database, operation="written"):
            connection.driver.execute("ROLLBACK TO SAVEPOINT request")
        connection.driver.execute("RELEASE SAVEPOINT request")


def _run_request(
    connection: SqliteConnection, request: TransactionRequest[Any], database: SqliteDatabase, *, operation: str
) -> bool:
    """Whether it succeeded; an error is recorded in the request. Raises _TransactionLost even if the work hid why."""
    request.start()
    try:
        request.succeed(request.work(SqlSession(connection, request.tenant)))
    except DRIVER_ERRORS as exc:
        request.fail(to_store_error(operation, database, exc))
    except BaseException as exc:
        request.fail(exc)
    if not connection.driver.in_transaction:
        request.fail(
            StoreError(f"The store {database} could not be {operation}: SQLite gave up the transaction; try again.")
        )
        raise _TransactionLost
    return not request.has_failed


def _fail_all(requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase, exc: Exception) -> None:
    for request in requests:
        request.fail(to_store_error("written", database, exc))
