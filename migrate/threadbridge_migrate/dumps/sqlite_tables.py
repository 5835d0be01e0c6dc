"""The tables of SQLite databases, and temporary ones with the rows of SQL dumps."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from functools import partial

from threadbridge.api_types import JsonMapping
from threadbridge_migrate.dumps.sql_dump import SqlRow
from threadbridge_migrate.dumps.tables import Table


def load_rows(database: sqlite3.Connection, rows: Iterable[SqlRow]) -> None:
    """Put the rows of a dump into an empty database, which has as much of them as could be read if `rows` raises."""
    for pragma in ("journal_mode = OFF", "synchronous = OFF"):
        database.execute(f"PRAGMA {pragma}")
    database.execute("BEGIN")
    columns: dict[str, list[str]] = {}
    for row in rows:
        _insert(database, columns, row)


def _insert(database: sqlite3.Connection, tables: dict[str, list[str]], row: SqlRow) -> None:
    """Add a row to a table of its name, which gets the columns that it lacks. Names of columns ignore case."""
    names = [*row.columns, *(f"column{number + 1}" for number in range(len(row.columns), len(row.values)))]
    known = tables.get(row.table.lower())
    if known is None:
        known = tables[row.table.lower()] = list(dict.fromkeys(name.lower() for name in names))
        defined = ", ".join(_quote(name) for name in known)
        database.execute(f"CREATE TABLE {_quote(row.table)} ({defined})")
    values = dict(zip((name.lower() for name in names), row.values, strict=False))
    for name in values.keys() - set(known):
        database.execute(f"ALTER TABLE {_quote(row.table)} ADD COLUMN {_quote(name)}")
        known.append(name)
    places = ", ".join(_quote(name) for name in values)
    marks = ", ".join("?" * len(values))
    database.execute(f"INSERT INTO {_quote(row.table)} ({places}) VALUES ({marks})", list(values.values()))  # noqa: S608


def list_sqlite_tables(database: sqlite3.Connection) -> list[Table]:
    """The tables and views of a database."""
    database.text_factory = _decode_text
    names = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'view')")]

    def read_rows(name: str) -> Iterator[JsonMapping]:
        cursor = database.execute(f"SELECT * FROM {_quote(name)}")  # noqa: S608 - a quoted name of the database
        columns = [column[0] for column in cursor.description]
        for row in cursor:
            yield dict(zip(columns, row, strict=True))

    tables: list[Table] = []
    for name in names:
        columns = [row[1] for row in database.execute(f"PRAGMA table_info({_quote(name)})")]
        tables.append(Table(name, columns, partial(read_rows, name)))
    return tables


def _decode_text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
