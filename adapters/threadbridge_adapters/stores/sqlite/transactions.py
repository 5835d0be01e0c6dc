"""Running jobs inside transactions: reads one by one, writes in groups that share one commit.

The driver itself begins and ends them; through SQLAlchemy that alone would cost what a short transaction takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sqlite.connection import SqliteConnection
from threadbridge_adapters.stores.sqlite.error_mapping import DRIVER_ERRORS, is_lock_timeout, to_store_error
from threadbridge_adapters.stores.sqlite.sqlite_url import SqliteDatabase
from threadbridge_adapters.stores.sqlite.transaction_request import TransactionRequest

#: How often a write asks for a file that another process keeps locked, each time for the whole busy timeout.
LOCK_ATTEMPTS = 3

#: The write lock is taken at once: a transaction that becomes a writing one midway can fail there.
_BEGIN_WRITE = "BEGIN IMMEDIATE"


class _TransactionLost(Exception):
    """SQLite ended the transaction by itself, as it does after some failures; nothing of it was kept."""


def read(connection: SqliteConnection, request: TransactionRequest[Any], database: SqliteDatabase) -> None:
    """Run one reading job on one snapshot of the data."""
    try:
        connection.driver.execute("BEGIN")
        _run_request(connection, request, database, operation="read")
    except _TransactionLost:
        pass  # the job knows
    except DRIVER_ERRORS as exc:
        request.fail(to_store_error("read", database, exc))
    finally:
        connection.driver.rollback()


def write(connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase) -> None:
    """Run the jobs one after another and commit them together. One that fails takes back only what is its own."""
    try:
        _begin_write(connection)
    except DRIVER_ERRORS as exc:
        _fail_all(requests, database, exc)
        return
    if len(requests) == 1:
        _run_and_commit(connection, requests[0], database)
    elif not _run_group_and_commit(connection, requests, database):
        # The disk was full, for instance. Whoever can do without its neighbours succeeds alone.
        for request in requests:
            write(connection, [request], database)


def _run_and_commit(connection: SqliteConnection, request: TransactionRequest[Any], database: SqliteDatabase) -> None:
    try:
        if _run_request(connection, request, database, operation="written"):
            connection.driver.commit()
    except _TransactionLost:
        pass  # the job knows
    except DRIVER_ERRORS as exc:
        _fail_all([request], database, exc)
    finally:
        connection.driver.rollback()  # where there was no commit, or it failed


def _run_group_and_commit(
    connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase
) -> bool:
    """False where SQLite gave up the transaction that they shared, and nothing is written."""
    try:
        _run_in_savepoints(connection, requests, database)
        connection.driver.commit()
    except _TransactionLost:
        return False
    except DRIVER_ERRORS as exc:
        _fail_all(requests, database, exc)
    finally:
        connection.driver.rollback()
    return True


def _fail_all(requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase, exc: Exception) -> None:
    for request in requests:
        request.fail(to_store_error("written", database, exc))


def run_inline(connection: SqliteConnection, request: TransactionRequest[Any], database: SqliteDatabase) -> bool:
    """Run one job of either sort on a connection that waits for nothing; False where the job is for one that does."""
    return (
        _write_inline(connection, request, database) if request.writes else _read_inline(connection, request, database)
    )


def _read_inline(connection: SqliteConnection, request: TransactionRequest[Any], database: SqliteDatabase) -> bool:
    """False where the store failed it, or it wrote: a reader may be luckier, and says what is wrong if it is not."""
    before = connection.driver.total_changes
    read(connection, request, database)
    return connection.driver.total_changes == before and not request.has_store_error


def _write_inline(connection: SqliteConnection, request: TransactionRequest[Any], database: SqliteDatabase) -> bool:
    """False where somebody else is writing, and the job has not begun."""
    try:
        connection.driver.execute(_BEGIN_WRITE)
    except DRIVER_ERRORS:
        return False  # the writer waits, and tells what is wrong if it is something else
    _run_and_commit(connection, request, database)
    return True


def run_any(connection: SqliteConnection, request: TransactionRequest[Any], database: SqliteDatabase) -> None:
    """Run one job of either sort, for the one connection of a store in memory."""
    if request.writes:
        write(connection, [request], database)
        return
    connection.set_read_only(on=True)
    try:
        read(connection, request, database)
    finally:
        connection.set_read_only(on=False)


def _begin_write(connection: SqliteConnection) -> None:
    """Begin to write, as soon as other processes let us."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            connection.driver.execute(_BEGIN_WRITE)
        except DRIVER_ERRORS as exc:
            if attempt == LOCK_ATTEMPTS or not is_lock_timeout(exc):
                raise
        else:
            return


def _run_in_savepoints(
    connection: SqliteConnection, requests: Sequence[TransactionRequest[Any]], database: SqliteDatabase
) -> None:
    for request in requests:
        connection.driver.execute("SAVEPOINT job")
        if not _run_request(connection, request, database, operation="written"):
            connection.driver.execute("ROLLBACK TO SAVEPOINT job")
        connection.driver.execute("RELEASE SAVEPOINT job")


def _run_request(
    connection: SqliteConnection, request: TransactionRequest[Any], database: SqliteDatabase, *, operation: str
) -> bool:
    """Whether the job went well; if not, it knows why. Raises _TransactionLost even where it swallowed the reason."""
    try:
        request.execute(connection)
    except DRIVER_ERRORS as exc:
        request.fail(to_store_error(operation, database, exc))
    except BaseException as exc:
        request.fail(exc)
    if not connection.driver.in_transaction:
        request.fail(
            StoreError(f"The store {database} could not be {operation}: SQLite gave up the transaction; try again.")
        )
        raise _TransactionLost
    return not request.failed
