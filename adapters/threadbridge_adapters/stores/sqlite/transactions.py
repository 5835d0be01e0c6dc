"""Running jobs inside transactions: reads one by one, writes in groups that share one commit.

The driver itself begins and ends them; through SQLAlchemy that alone would cost what a short transaction takes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sql.error_mapping import DRIVER_ERRORS, is_locked, store_error
from threadbridge_adapters.stores.sqlite.connection import set_read_only
from threadbridge_adapters.stores.sqlite.sqlite_url import Place
from threadbridge_adapters.stores.sqlite.transaction_request import Job

#: How often a write asks for a file that another process keeps locked, each time for the whole busy timeout.
LOCK_ATTEMPTS = 3

#: The write lock is taken at once: a transaction that becomes a writing one midway can fail there.
_WRITING = "BEGIN IMMEDIATE"


class _TransactionLost(Exception):
    """SQLite ended the transaction by itself, as it does after some failures; nothing of it was kept."""


def read(driver: sqlite3.Connection, job: Job[Any], place: Place) -> None:
    """Run one reading job on one snapshot of the data."""
    try:
        driver.execute("BEGIN")
        _run(driver, job, place, doing="read")
    except _TransactionLost:
        pass  # the job knows
    except DRIVER_ERRORS as exc:
        job.fail(store_error("read", place, exc))
    finally:
        driver.rollback()


def write(driver: sqlite3.Connection, jobs: Sequence[Job[Any]], place: Place) -> None:
    """Run the jobs one after another and commit them together. One that fails takes back only what is its own."""
    try:
        _begin(driver)
    except DRIVER_ERRORS as exc:
        _fail(jobs, place, exc)
        return
    if len(jobs) == 1:
        _run_and_end(driver, jobs[0], place)
    elif not _run_all_and_end(driver, jobs, place):
        # The disk was full, for instance. Whoever can do without its neighbours succeeds alone.
        for job in jobs:
            write(driver, [job], place)


def _run_and_end(driver: sqlite3.Connection, job: Job[Any], place: Place) -> None:
    try:
        if _run(driver, job, place, doing="written"):
            driver.commit()
    except _TransactionLost:
        pass  # the job knows
    except DRIVER_ERRORS as exc:
        _fail([job], place, exc)
    finally:
        driver.rollback()  # where there was no commit, or it failed


def _run_all_and_end(driver: sqlite3.Connection, jobs: Sequence[Job[Any]], place: Place) -> bool:
    """False where SQLite gave up the transaction that they shared, and nothing is written."""
    try:
        _each_in_a_savepoint(driver, jobs, place)
        driver.commit()
    except _TransactionLost:
        return False
    except DRIVER_ERRORS as exc:
        _fail(jobs, place, exc)
    finally:
        driver.rollback()
    return True


def _fail(jobs: Sequence[Job[Any]], place: Place, exc: Exception) -> None:
    for job in jobs:
        job.fail(store_error("written", place, exc))


def at_once(driver: sqlite3.Connection, job: Job[Any], place: Place) -> bool:
    """Run one job of either sort on a connection that waits for nothing; False where the job is for one that does."""
    return _write_at_once(driver, job, place) if job.writes else _read_at_once(driver, job, place)


def _read_at_once(driver: sqlite3.Connection, job: Job[Any], place: Place) -> bool:
    """False where the store failed it, or it wrote: a reader may be luckier, and says what is wrong if it is not."""
    before = driver.total_changes
    read(driver, job, place)
    return driver.total_changes == before and not job.failed_by_store


def _write_at_once(driver: sqlite3.Connection, job: Job[Any], place: Place) -> bool:
    """False where somebody else is writing, and the job has not begun."""
    try:
        driver.execute(_WRITING)
    except DRIVER_ERRORS:
        return False  # the writer waits, and tells what is wrong if it is something else
    _run_and_end(driver, job, place)
    return True


def either(driver: sqlite3.Connection, job: Job[Any], place: Place) -> None:
    """Run one job of either sort, for the one connection of a store in memory."""
    if job.writes:
        write(driver, [job], place)
        return
    set_read_only(driver, on=True)
    try:
        read(driver, job, place)
    finally:
        set_read_only(driver, on=False)


def _begin(driver: sqlite3.Connection) -> None:
    """Begin to write, as soon as other processes let us."""
    for attempt in range(1, LOCK_ATTEMPTS + 1):
        try:
            driver.execute(_WRITING)
        except DRIVER_ERRORS as exc:
            if attempt == LOCK_ATTEMPTS or not is_locked(exc):
                raise
        else:
            return


def _each_in_a_savepoint(driver: sqlite3.Connection, jobs: Sequence[Job[Any]], place: Place) -> None:
    for job in jobs:
        driver.execute("SAVEPOINT job")
        if not _run(driver, job, place, doing="written"):
            driver.execute("ROLLBACK TO SAVEPOINT job")
        driver.execute("RELEASE SAVEPOINT job")


def _run(driver: sqlite3.Connection, job: Job[Any], place: Place, *, doing: str) -> bool:
    """Whether the job went well; if not, it knows why. Raises _TransactionLost even where it swallowed the reason."""
    try:
        job.run(driver)
    except DRIVER_ERRORS as exc:
        job.fail(store_error(doing, place, exc))
    except BaseException as exc:
        job.fail(exc)
    if not driver.in_transaction:
        job.fail(StoreError(f"The store {place} could not be {doing}: SQLite gave up the transaction; try again."))
        raise _TransactionLost
    return not job.failed
