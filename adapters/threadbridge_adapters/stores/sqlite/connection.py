"""SQLite through SQLAlchemy: the engine, its pragmas, and the two kinds of connection a store keeps."""

from __future__ import annotations

import sqlite3
from time import monotonic, sleep
from typing import Any

from sqlalchemy import Connection, Engine, NullPool, create_engine, event

from threadbridge.errors import StoreError
from threadbridge_adapters.stores.sql.compiled_statements import get_driver_connection
from threadbridge_adapters.stores.sql.error_mapping import is_lock_timeout, map_driver_errors
from threadbridge_adapters.stores.sql.schema_upgrade import upgrade_schema
from threadbridge_adapters.stores.sqlite.sqlite_url import SqliteDatabase

_WAL_PAUSE_SECONDS = 0.02
_BEGIN_OPTION = "threadbridge_begin"


def create_sqlite_engine(database: SqliteDatabase) -> Engine:
    """An engine without a pool: every thread of a store opens one connection and keeps it."""
    # Parameters are contents; they must not get into the text of an error.
    engine = create_engine(database.url, poolclass=NullPool, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def _configure_connection(driver_connection: Any, _record: object) -> None:
        # From here on SQLAlchemy says BEGIN, not the driver; otherwise reads are not repeatable on Python 3.11.
        driver_connection.isolation_level = None
        cursor = driver_connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {int(database.busy_seconds * 1000)}")
        cursor.execute(f"PRAGMA synchronous = {database.synchronous}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin_transaction(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN_OPTION, "BEGIN"))

    return engine


def connect_writer(engine: Engine, database: SqliteDatabase) -> Connection:
    """A connection whose transactions hold the write lock from their start, onto a schema brought up to date."""
    with map_driver_errors("opened", database):
        _create_private_file(database)
        connection = engine.connect()
        if database.path is not None:
            # A transaction that becomes a writing one midway can fail there; one that starts as one only waits.
            connection = connection.execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"})
        try:
            _enable_wal(connection, database)
            upgrade_schema(connection, database)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_inline_writer(engine: Engine, database: SqliteDatabase) -> Connection:
    """A connection onto an opened store that waits for nothing: not for other writers, not for the disk.

    Folding the log into the file does wait for the disk, and is left to the writer.
    """
    with map_driver_errors("opened", database):
        connection = engine.connect()
        _execute_pragma(connection, "PRAGMA busy_timeout = 0")
        _execute_pragma(connection, "PRAGMA wal_autocheckpoint = 0")
    return connection


def connect_reader(engine: Engine, database: SqliteDatabase) -> Connection:
    """A connection that refuses to write."""
    with map_driver_errors("opened", database):
        connection = engine.connect()
        set_read_only(get_driver_connection(connection), on=True)
    return connection


def set_read_only(driver: sqlite3.Connection, *, on: bool) -> None:
    """Make the connection refuse writes, or accept them again; outside of a transaction only."""
    driver.execute(f"PRAGMA query_only = {int(on)}").close()


def _create_private_file(database: SqliteDatabase) -> None:
    """A new file holds conversations: only its owner may read it. SQLite's side files follow its mode."""
    if database.path is not None and not database.path.exists() and database.path.parent.is_dir():
        try:
            database.path.touch(mode=0o600)
        except OSError as exc:
            raise StoreError(f"The store {database} could not be created: {exc.strerror}.") from exc


def _enable_wal(connection: Connection, database: SqliteDatabase) -> None:
    """Let readers and the writer not wait for each other. SQLite itself does not wait for this switch, so we do."""
    deadline = monotonic() + database.busy_seconds
    while True:
        try:
            return _execute_pragma(connection, "PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not is_lock_timeout(exc) or monotonic() >= deadline:
                raise
        sleep(_WAL_PAUSE_SECONDS)


def _execute_pragma(connection: Connection, pragma: str) -> None:
    # Through SQLAlchemy it would be preceded by a BEGIN, and these pragmas do nothing inside a transaction.
    get_driver_connection(connection).execute(pragma).close()
