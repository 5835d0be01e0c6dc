"""URLs of SQLite stores: path, durability and lock timeout."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from threadbridge.errors import ConfigurationError, StoreError

#: `normal`: if the process is killed, no acknowledged transaction is lost; a power failure may lose the last ones, but
#: never damages the file. `full`: a power failure loses none either, for one disk flush per group of writes.
SYNCHRONOUS = ("normal", "full")
DEFAULT_SYNCHRONOUS = "normal"
#: Seconds that one attempt waits for another process's lock.
DEFAULT_BUSY_SECONDS = 5.0

_EXAMPLES = "use a file path, sqlite:///path/to/file.db or :memory:"


@dataclass(frozen=True, slots=True)
class SqliteDatabase:
    """One SQLite database. `path` is None for a database in memory, which is lost when its store is closed."""

    path: Path | None
    synchronous: str = DEFAULT_SYNCHRONOUS
    busy_seconds: float = DEFAULT_BUSY_SECONDS

    def __str__(self) -> str:
        return ":memory:" if self.path is None else str(self.path)

    @property
    def url(self) -> URL:
        """The URL for SQLAlchemy."""
        return URL.create("sqlite", database=str(self))


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
                f"The directory {path.parent} for the store could not be made ({exc.strerror}); name another with "
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
        raise ConfigurationError(f"store: {url.drivername}: is not a kind of store this version has; {_EXAMPLES}.")
    path = None if url.database in (None, "", ":memory:") else _resolve_path(url.database)
    options = {name: str(value) for name, value in url.query.items()}
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
    return SqliteDatabase(path, synchronous, seconds)
