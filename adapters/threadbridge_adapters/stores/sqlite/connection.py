"""SQLite through SQLAlchemy: the URLs of stores, the engine, its connections, and the mapping of their errors."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Any, cast

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from threadbridge.errors import ConfigurationError, StoreError
from threadbridge_adapters.stores.sql.schema_upgrade import upgrade_schema
from threadbridge_adapters.stores.sql.statements import IntegrityViolation, SqlDialect, Statement, Values

#: `normal`: if the process is killed, no acknowledged transaction is lost; a power failure may lose the last ones, but
#: never damages the file. `full`: a power failure loses none either, for one disk flush per group of writes.
SYNCHRONOUS = ("normal", "full")
DEFAULT_SYNCHRONOUS = "normal"
#: Seconds that one attempt waits for another process's lock.
DEFAULT_BUSY_SECONDS = 5.0

_EXAMPLES = "use a file path, sqlite:///path/to/file.db or :memory:"


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """One SQLite database. `path` is None for a database in memory, which is lost when its store is closed.

    A database in memory with a `name` is shared by all stores of the process that have this name.
    """

    path: Path | None
    synchronous: str = DEFAULT_SYNCHRONOUS
    busy_seconds: float = DEFAULT_BUSY_SECONDS
    name: str = ""

    def __str__(self) -> str:
        return ":memory:" if self.path is None else str(self.path)

    @property
    def url(self) -> URL:
        """The URL for SQLAlchemy."""
        return URL.create("sqlite", database=str(self))


def format_memory_url(name: str) -> str:
    """The URL of the database in memory with this name."""
    return f"sqlite:///:memory:?name={name}"


def default_store_path() -> Path:
    """The default store of the user, in the platform's directory for application data."""
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = str(Path.home() / "Library" / "Application Support")
    else:
        base = os.environ.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(base) / "threadbridge" / "threadbridge.db"


def parse_store_url(url: str | None) -> SqliteDatabase:
    """The database that a URL names: None the user's default store, else `:memory:`, a path or a `sqlite:` URL.

    A `sqlite:` URL may have the options `?synchronous=normal|full` and `?busy_timeout=SECONDS`. Raises
    ConfigurationError for any other URL, and StoreError if the directory of the default store cannot be created.
    """
    if url is None:
        path = default_store_path()
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as exc:
            raise StoreError(
                f"The directory {path.parent} for the store could not be created ({exc.strerror}); name another with "
                "--store."
            ) from exc
        return SqliteDatabase(path)
    if url == ":memory:":
        return SqliteDatabase(None)
    if "://" not in url:
        return SqliteDatabase(_resolve_path(url))
    return _parse_sqlite_url(url)


def _resolve_path(path: str) -> Path:
    if not path.strip() or "\0" in path:
        raise ConfigurationError(f"store: {path!r} is not a path; {_EXAMPLES}.")
    return Path(path).expanduser().absolute()


def _parse_sqlite_url(text: str) -> SqliteDatabase:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as exc:
        raise ConfigurationError(f"store: the URL cannot be read; {_EXAMPLES}.") from exc
    if url.get_backend_name() != "sqlite" or url.host:
        raise ConfigurationError(
            f"store: {url.drivername}: is not a kind of store that this version supports; {_EXAMPLES}."
        )
    path = None if url.database in (None, "", ":memory:") else _resolve_path(url.database)
    options = {name: str(value) for name, value in url.query.items()}
    name = options.pop("name", "") if path is None else ""
    unknown = sorted(options.keys() - {"synchronous", "busy_timeout"})
    if unknown:
        raise ConfigurationError(f"store: unknown option {unknown[0]!r}; allowed are synchronous and busy_timeout.")
    synchronous = options.get("synchronous", DEFAULT_SYNCHRONOUS).lower()
    if synchronous not in SYNCHRONOUS:
        raise ConfigurationError(f"store: synchronous={synchronous!r} is not one of {', '.join(SYNCHRONOUS)}.")
    timeout = options.get("busy_timeout", DEFAULT_BUSY_SECONDS)
    try:
        seconds = float(timeout)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 3600:
        raise ConfigurationError(f"store: busy_timeout={timeout!r} is not a number of seconds from 0 to 3600.")
    return SqliteDatabase(path, synchronous, seconds, name)


_WAL_PAUSE_SECONDS = 0.02
_BEGIN_OPTION = "threadbridge_begin"

#: Positional parameters: the driver takes longer to look them up by name.
SQLITE = SqlDialect(sqlite.dialect(paramstyle="qmark"), insert=sqlite.insert)


#: What to do about an error, by a part of SQLite's message.
_NEXT_STEPS: Mapping[str, str] = {
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
#: Statements outside of transactions go to the driver itself, and raise its own classes.
DRIVER_ERRORS = (SQLAlchemyError, sqlite3.Error)


class SqliteConnection:
    """`SqlConnection` on the driver's connection behind one of SQLAlchemy's; its owner begins and ends transactions."""

    __slots__ = ("connection", "driver")

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.driver = cast(sqlite3.Connection, connection.connection.driver_connection)

    def fetch_all(self, statement: Statement, values: Values) -> list[Any]:
        text, bind = SQLITE.compile(statement)
        return self.driver.execute(text, bind(values)).fetchall()

    def fetch_one(self, statement: Statement, values: Values) -> Any:
        text, bind = SQLITE.compile(statement)
        rows = self.driver.execute(text, bind(values)).fetchall()
        return rows[0] if rows else None

    def execute(self, statement: Statement, values: Values) -> int:
        text, bind = SQLITE.compile(statement)
        try:
            return self.driver.execute(text, bind(values)).rowcount
        except sqlite3.IntegrityError as exc:
            raise IntegrityViolation from exc

    def execute_many(self, statement: Statement, rows: Sequence[Values]) -> None:
        text, bind = SQLITE.compile(statement)
        try:
            self.driver.executemany(text, [bind(values) for values in rows])
        except sqlite3.IntegrityError as exc:
            raise IntegrityViolation from exc

    def run_pragma(self, pragma: str) -> None:
        """Run a pragma outside of a transaction, where SQLAlchemy would begin one first."""
        self.driver.execute(f"PRAGMA {pragma}").close()

    def set_read_only(self, *, on: bool) -> None:
        """Make the connection refuse writes, or accept them again; outside of a transaction only."""
        self.run_pragma(f"query_only = {int(on)}")

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def discard(self) -> None:
        """Close a connection that failed in an unknown way."""
        self.connection.invalidate()
        self.connection.close()


def create_sqlite_engine(database: SqliteDatabase) -> Engine:
    """An engine without a pool: every thread of a store opens one connection and keeps it."""
    # Parameters are contents, which must not appear in the text of an error.
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


def connect_writer(engine: Engine, database: SqliteDatabase) -> SqliteConnection:
    """A connection whose transactions hold the write lock from their start. Creates or upgrades the schema."""
    with map_driver_errors("opened", database):
        if database.path is not None and not database.path.exists() and database.path.parent.is_dir():
            try:  # only its owner may read the conversations in a new file; SQLite's side files get its mode
                database.path.touch(mode=0o600)
            except OSError as exc:
                raise StoreError(f"The store {database} could not be created: {exc.strerror}.") from exc
        connection = engine.connect()
        if database.path is not None:
            # A transaction that becomes a writing one midway can fail there; one that starts as one only waits.
            connection = connection.execution_options(**{_BEGIN_OPTION: "BEGIN IMMEDIATE"})
        try:
            _enable_wal(SqliteConnection(connection), database)
            upgrade_schema(connection, database)
        except BaseException:
            connection.close()
            raise
    return SqliteConnection(connection)


def connect_reader(engine: Engine, database: SqliteDatabase, *, waits: bool = True) -> SqliteConnection:
    """A connection that refuses to write; without `waits`, it fails at once where the file is locked."""
    with map_driver_errors("opened", database):
        connection = SqliteConnection(engine.connect())
        connection.set_read_only(on=True)
        if not waits:
            connection.run_pragma("busy_timeout = 0")
    return connection


def connect_inline_writer(engine: Engine, database: SqliteDatabase) -> SqliteConnection:
    """A connection that writes to an opened store, fails at once where the file is locked, and makes no checkpoint."""
    with map_driver_errors("opened", database):
        connection = SqliteConnection(engine.connect())
        connection.run_pragma("busy_timeout = 0")
        connection.run_pragma("wal_autocheckpoint = 0")
    return connection


def _enable_wal(connection: SqliteConnection, database: SqliteDatabase) -> None:
    """Switch to WAL, in which readers and the writer do not block each other. SQLite does not wait for a lock here."""
    deadline = monotonic() + database.busy_seconds
    while True:
        try:
            return connection.run_pragma("journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            if not is_lock_timeout(exc) or monotonic() >= deadline:
                raise
        sleep(_WAL_PAUSE_SECONDS)


def to_store_error(operation: str, database: object, exc: Exception) -> StoreError:
    """The error of the port: it names the store and the next step, and contains neither SQL nor contents.

    `operation` completes "could not be".
    """
    reason = _get_driver_message(exc)
    steps = (step for words, step in _NEXT_STEPS.items() if words in reason.lower())
    step = next(steps, None)
    return StoreError(f"The store {database} could not be {operation} ({reason})" + (f"; {step}." if step else "."))


@contextmanager
def map_driver_errors(operation: str, database: object) -> Generator[None]:
    """Raise errors of the driver as StoreError."""
    try:
        yield
    except DRIVER_ERRORS as exc:
        raise to_store_error(operation, database, exc) from exc


def is_lock_timeout(exc: Exception) -> bool:
    """Whether another process locked the file for longer than SQLite waits."""
    return "locked" in _get_driver_message(exc)


def _get_driver_message(exc: Exception) -> str:
    match exc:
        case DBAPIError(orig=BaseException() as cause):
            return str(cause)
        case sqlite3.Error():
            return str(exc)
        case _:
            return type(exc).__name__
