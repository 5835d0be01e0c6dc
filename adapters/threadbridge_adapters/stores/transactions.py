"""Running jobs inside transactions: reads one by one, writes in groups that share one commit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RootTransaction

from threadbridge_adapters.stores.failures import DRIVER_ERRORS, is_locked, store_error
from threadbridge_adapters.stores.job import Job
from threadbridge_adapters.stores.place import Place
from threadbridge_adapters.stores.sqlite import set_read_only

#: How often a write asks for a file that another process keeps locked, each time for the whole busy timeout.
LOCK_ATTEMPTS = 3


def read(connection: Connection, job: Job[Any], place: Place) -> None:
    """Run one reading job on one snapshot of the data."""
    try:
        with connection.begin() as transaction:
            job.run(connection)
            transaction.rollback()
    except DRIVER_ERRORS as exc:
        job.fail(store_error("read", place, exc))
    except BaseException as exc:
        job.fail(exc)


def write(connection: Connection, jobs: Sequence[Job[Any]], place: Place) -> None:
    """Run the jobs one after another and commit them together. One that fails takes back only what is its own."""
    try:
        with _begin(connection):
            if len(jobs) == 1:
                jobs[0].run(connection)
            else:
                _each_in_a_savepoint(connection, jobs, place)
    except DRIVER_ERRORS as exc:
        _fail_all(jobs, store_error("written", place, exc))
    except BaseException as exc:
        _fail_all(jobs, exc)


def either(connection: Connection, job: Job[Any], place: Place) -> None:
    """Run one job of either sort, for the one connection of a store in memory."""
    if job.writes:
        write(connection, [job], place)
        return
    set_read_only(connection, on=True)
    try:
        read(connection, job, place)
    finally:
        set_read_only(connection, on=False)


def _begin(connection: Connection) -> RootTransaction:
    for _ in range(LOCK_ATTEMPTS - 1):
        try:
            return connection.begin()
        except DRIVER_ERRORS as exc:
            if not is_locked(exc):
                raise
    return connection.begin()


def _each_in_a_savepoint(connection: Connection, jobs: Sequence[Job[Any]], place: Place) -> None:
    # Plain statements: SQLAlchemy's nested transactions cost five times as much and do the same.
    for job in jobs:
        connection.exec_driver_sql("SAVEPOINT job")
        try:
            job.run(connection)
        except BaseException as exc:
            # Where the database gave up the whole transaction, this raises, and all of the group have failed.
            connection.exec_driver_sql("ROLLBACK TO SAVEPOINT job")
            job.fail(store_error("written", place, exc) if isinstance(exc, DRIVER_ERRORS) else exc)
        connection.exec_driver_sql("RELEASE SAVEPOINT job")


def _fail_all(jobs: Sequence[Job[Any]], error: BaseException) -> None:
    for job in jobs:
        job.fail(error)
