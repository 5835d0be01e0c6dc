"""Running jobs inside transactions: reads one by one, writes in groups that share one commit.

The driver itself begins and ends them; through SQLAlchemy that alone would cost what a short transaction takes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.failures import DRIVER_ERRORS, is_locked, store_error
from threadbridge_adapters.stores.job import Job
from threadbridge_adapters.stores.place import Place
from threadbridge_adapters.stores.sqlite import in_transaction, set_read_only
from threadbridge_adapters.stores.statements import driver_of

#: How often a write asks for a file that another process keeps locked, each time for the whole busy timeout.
LOCK_ATTEMPTS = 3


class _TransactionLost(Exception):
    """SQLite ended the transaction by itself, as it does after some failures; nothing of it was kept."""


def read(connection: Connection, job: Job[Any], place: Place) -> None:
    """Run one reading job on one snapshot of the data."""
    driver = driver_of(connection)
    try:
        driver.execute("BEGIN")
        _run(connection, job, place, doing="read")
    except _TransactionLost:
        pass  # the job knows
    except DRIVER_ERRORS as exc:
        job.fail(store_error("read", place, exc))
    finally:
        driver.rollback()


def write(connection: Connection, jobs: Sequence[Job[Any]], place: Place) -> None:
    """Run the jobs one after another and commit them together. One that fails takes back only what is its own."""
    driver = driver_of(connection)
    try:
        _begin(driver)
        if len(jobs) > 1:
            _each_in_a_savepoint(connection, jobs, place)
        elif not _run(connection, jobs[0], place, doing="written"):
            driver.rollback()
        driver.commit()
    except _TransactionLost:
        if len(jobs) > 1:
            # The disk was full, for instance. Whoever can do without its neighbours succeeds alone.
            for job in jobs:
                write(connection, [job], place)
    except DRIVER_ERRORS as exc:
        for job in jobs:
            job.fail(store_error("written", place, exc))
    finally:
        driver.rollback()  # what a failed commit left open; else there is nothing to end


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


def _begin(driver: sqlite3.Connection) -> None:
    """Take the write lock at once: a transaction that becomes a writing one midway can fail there."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            driver.execute("BEGIN IMMEDIATE")
        except DRIVER_ERRORS as exc:
            if attempt == LOCK_ATTEMPTS or not is_locked(exc):
                raise
        else:
            return


def _each_in_a_savepoint(connection: Connection, jobs: Sequence[Job[Any]], place: Place) -> None:
    driver = driver_of(connection)
    for job in jobs:
        driver.execute("SAVEPOINT job")
        if not _run(connection, job, place, doing="written"):
            driver.execute("ROLLBACK TO SAVEPOINT job")
        driver.execute("RELEASE SAVEPOINT job")


def _run(connection: Connection, job: Job[Any], place: Place, *, doing: str) -> bool:
    """Whether the job went well; if not, it knows why. Raises _TransactionLost even where it swallowed the reason."""
    try:
        job.run(connection)
    except DRIVER_ERRORS as exc:
        job.fail(store_error(doing, place, exc))
    except BaseException as exc:
        job.fail(exc)
    if not in_transaction(connection):
        job.fail(StoreError(f"The store {place} could not be {doing}: SQLite gave up the transaction; try again."))
        raise _TransactionLost
    return not job.failed
