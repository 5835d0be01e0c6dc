"""What a database driver raises, in one sentence that names the store and the next step; never SQL, never contents."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from threadbridge.errors import StoreError

#: SQLite's own words, and what to do about them.
NEXT_STEPS: Mapping[str, str] = {
    "unable to open database file": "check that its directory exists and may be written to",
    "file is not a database": "choose another file; this one holds something else",
    "file is encrypted": "choose another file; this one holds something else",
    "readonly database": "check the permissions of the file and of its directory",
    "disk is full": "free some space on its disk and try again",
    "disk i/o error": "check its disk, and that the file was not removed while it was open",
    "malformed": "restore it from a backup, or rescue what can be read with `sqlite3 FILE .recover`",
    "locked": "another process is writing for too long; stop it, or raise busy_timeout in the store's URL",
    "no such table": "the file was changed by another program; restore it from a backup",
}


#: Statements outside of transactions go to the driver itself, and fail with its own classes.
DRIVER_ERRORS = (SQLAlchemyError, sqlite3.Error)


def to_store_error(operation: str, database: object, exc: Exception) -> StoreError:
    """The failure in our words; `doing` completes "could not be"."""
    reason = _get_driver_message(exc)
    steps = (step for words, step in NEXT_STEPS.items() if words in reason.lower())
    step = next(steps, None)
    return StoreError(f"The store {database} could not be {operation} ({reason})" + (f"; {step}." if step else "."))


@contextmanager
def map_driver_errors(operation: str, database: object) -> Generator[None]:
    """Let nothing of the driver's through."""
    try:
        yield
    except DRIVER_ERRORS as exc:
        raise to_store_error(operation, database, exc) from exc


def is_lock_timeout(exc: Exception) -> bool:
    """Whether another process held the file for longer than SQLite waits."""
    return "locked" in _get_driver_message(exc)


def _get_driver_message(exc: Exception) -> str:
    match exc:
        case DBAPIError(orig=BaseException() as cause):
            return str(cause)
        case sqlite3.Error():
            return str(exc)
        case _:
            return type(exc).__name__
