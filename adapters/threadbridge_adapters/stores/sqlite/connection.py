"""SQLite through SQLAlchemy: the engine, its pragmas, and the two kinds of connection a store keeps."""

from __future__ import annotations

import sqlite3
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sql.compiled_statements import driver_of
from threadbridge_adapters.stores.sql.error_mapping import is_locked, told_as_store_error
from threadbridge_adapters.stores.sql.schema_upgrade import upgrade
from threadbridge_adapters.stores.sqlite.sqlite_url import Place

_WAL_PAUSE_SECONDS = 0.02
_BEGIN = "threadbridge_begin"


def make_engine(place: Place) -> Engine:
    """An engine without a pool: every thread of a store opens one connection and keeps it."""
    # Parameters are contents; they must not get into the text of an error.
    engine = create_engine(place.url, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _prepare(driver_connection: Any, _record: object) -> None:
        # From here on SQLAlchemy says BEGIN, not the driver; otherwise reads are not repeatable on Python 3.11.
        driver_connection.isolation_level = None
        cursor = driver_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(place.busy_seconds * 1000)}")
        cursor.execute(f"PRAGMA synchronous = {place.synchronous}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))

    return engine


def connect_writer(engine: Engine, place: Place) -> Connection:
    """A connection whose transactions hold the write lock from their start, onto a schema brought up to date."""
    with told_as_store_error("opened", place):
        _create_privately(place)
        connection = engine.connect()
        if place.path is not None:
            # A transaction that becomes a writing one midway can fail there; one that starts as one only waits.
            connection = connection.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})
        try:
            _use_wal(connection, place)
            upgrade(connection, place)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_impatient_writer(engine: Engine, place: Place) -> Connection:
    """A connection onto an opened store that waits for nothing: not for other writers, not for the disk.

    Folding the log into the file does wait for the disk, and is left to the writer.
    """
    with told_as_store_error("opened", place):
        connection = engine.connect()
        _outside_transaction(connection, "PRAGMA busy_timeout = 0")
        _outside_transaction(connection, "PRAGMA wal_autocheckpoint = 0")
    return connection


def connect_reader(engine: Engine, place: Place) -> Connection:
    """A connection that refuses to write."""
    with told_as_store_error("opened", place):
        connection = engine.connect()
        set_read_only(driver_of(connection), on=True)
    return connection


def set_read_only(driver: sqlite3.Connection, *, on: bool) -> None:
    """Make the connection refuse writes, or accept them again; outside of a transaction only."""
    driver.execute(f"PRAGMA query_only = {int(on)}").close()


def _create_privately(place: Place) -> None:
    """A new file holds conversations: only its owner may read it. SQLite's side files follow its mode."""
    if place.path is not None and not place.path.exists() and place.path.parent.is_dir():
        try:
            place.path.touch(mode=0o600)
        except OSError as exc:
            raise StoreError(f"The store {place} could not be created: {exc.strerror}.") from exc


def _use_wal(connection: Connection, place: Place) -> None:
    """Let readers and the writer not wait for each other. SQLite itself does not wait for this switch, so we do."""
    deadline = monotonic() + place.busy_seconds
    while True:
        try:
            return _outside_transaction(connection, "PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not is_locked(exc) or monotonic() >= deadline:
                raise
        sleep(_WAL_PAUSE_SECONDS)


def _outside_transaction(connection: Connection, pragma: str) -> None:
    # Through SQLAlchemy it would be preceded by a BEGIN, and these pragmas do nothing inside a transaction.
    driver_of(connection).execute(pragma).close()
