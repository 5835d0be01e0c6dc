"""Statements that SQLAlchemy writes and the driver runs.

A store's transaction is a handful of short statements whose text never changes. SQLAlchemy writes each text once;
looking it up, binding and wrapping rows again on every call would cost ten times what SQLite itself takes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, TypeAlias, cast

from sqlalchemy import ClauseElement, Connection, Table, insert
from sqlalchemy.dialects import sqlite

#: The values of one row by column name, or of a statement's parameters by theirs.
Values: TypeAlias = Mapping[str, Any]

_DIALECT: Any = sqlite.dialect(paramstyle="qmark")  # looking parameters up by name costs the driver more


class CompiledStatement:
    """One statement, compiled when it is made. What the driver raises comes through as it is."""

    def __init__(self, clause: ClauseElement, *, columns: Sequence[str] | None = None) -> None:
        compiled: Any = clause.compile(dialect=_DIALECT, column_keys=columns)
        self._text = str(compiled)
        names = compiled.positiontup or ()
        self._bind_values = _build_value_binder(
            names, {name: bound.value for name in names if not (bound := compiled.binds[name]).required}
        )

    def fetch_all(self, driver: sqlite3.Connection, values: Values) -> list[Any]:
        """Every row, as tuples. All are fetched, so that nothing holds on to the snapshot of the data."""
        return driver.execute(self._text, self._bind_values(values)).fetchall()

    def fetch_one(self, driver: sqlite3.Connection, values: Values) -> Any:
        """The one row there is, or None."""
        rows = self.fetch_all(driver, values)
        return rows[0] if rows else None

    def execute(self, driver: sqlite3.Connection, values: Values) -> int:
        """How many rows it changed."""
        return driver.execute(self._text, self._bind_values(values)).rowcount

    def execute_many(self, driver: sqlite3.Connection, rows: Sequence[Values]) -> None:
        """Once for each of these."""
        driver.executemany(self._text, [self._bind_values(values) for values in rows])


def _build_value_binder(names: Sequence[str], constants: Values) -> Callable[[Values], Sequence[Any]]:
    """What puts values by name into the order of a statement; some stand in the statement itself."""
    if constants or len(names) < 2:
        return lambda values: [constants[name] if name in constants else values[name] for name in names]
    return itemgetter(*names)


def compile_insert(table: Table) -> CompiledStatement:
    """Adds one row, of which every column but the number of its place is given."""
    columns = [column.name for column in table.columns if column.name != "seq"]
    return CompiledStatement(insert(table), columns=columns)


def get_driver_connection(connection: Connection) -> sqlite3.Connection:
    """The driver's connection behind one of SQLAlchemy's."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)
