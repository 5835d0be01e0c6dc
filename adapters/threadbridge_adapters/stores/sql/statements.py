"""SQL statements, written once with SQLAlchemy and compiled once for each dialect, and the connection that runs them.

A transaction is a few short statements whose text never changes. To look up, bind and wrap rows through SQLAlchemy on
every call would cost ten times what SQLite itself takes, so a connection gives the compiled text to its driver.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple, Protocol, TypeAlias

from sqlalchemy import ClauseElement, Dialect, Table, insert

#: The values of one row by column name, or of a statement's parameters by name.
Values: TypeAlias = Mapping[str, Any]
#: The new values of an existing row by column name, from the row that was to be inserted.
BuildUpdate: TypeAlias = Callable[[Any], Mapping[str, Any]]


class CompiledStatement(NamedTuple):
    """The text for a driver, and the function that puts named values into the order of its parameters."""

    text: str
    bind: Callable[[Values], Sequence[Any]]


class SqlDialect:
    """How one kind of database spells statements; keeps each one it has compiled.

    `dialect` must use positional parameters; `insert` is the dialect's own insert with `on_conflict_do_update`.
    """

    def __init__(self, dialect: Dialect, *, insert: Callable[[Table], Any]) -> None:
        self.dialect = dialect
        self.insert = insert
        self._compiled: dict[Statement, CompiledStatement] = {}

    def compile(self, statement: Statement) -> CompiledStatement:
        """The statement in this dialect."""
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = statement.compile(self)
        return compiled


class Statement:
    """One statement, independent of the database. `columns` are those that an insert gives values for."""

    def __init__(
        self, clause: ClauseElement | Callable[[SqlDialect], ClauseElement], *, columns: Sequence[str] | None = None
    ) -> None:
        self._clause = clause
        self._columns = columns

    def compile(self, dialect: SqlDialect) -> CompiledStatement:
        """The statement in a dialect; `SqlDialect.compile` compiles it once only."""
        clause = self._clause if isinstance(self._clause, ClauseElement) else self._clause(dialect)
        compiled: Any = clause.compile(dialect=dialect.dialect, column_keys=self._columns)
        names: Sequence[str] = compiled.positiontup or ()
        constants = {name: bound.value for name in names if not (bound := compiled.binds[name]).required}
        if constants or len(names) < 2:

            def bind(values: Values) -> Sequence[Any]:
                return [constants[name] if name in constants else values[name] for name in names]

            return CompiledStatement(str(compiled), bind)
        return CompiledStatement(str(compiled), itemgetter(*names))


def build_insert(table: Table) -> Statement:
    """Add one row; every column but the generated `seq` gets a value."""
    columns = [column.name for column in table.columns if column.name != "seq"]
    return Statement(insert(table).inline(), columns=columns)  # inline: the generated key is not read back


def build_upsert(table: Table, *, keys: Sequence[str], update: BuildUpdate) -> Statement:
    """Add one row, or update the one with the same keys."""

    def build(dialect: SqlDialect) -> ClauseElement:
        insertion = dialect.insert(table)
        clause: ClauseElement = insertion.on_conflict_do_update(index_elements=keys, set_=update(insertion.excluded))
        return clause

    return Statement(build, columns=[column.name for column in table.columns])


class IntegrityViolation(Exception):
    """A unique index rejected a row. Connections raise it instead of their driver's own class."""


class SqlConnection(Protocol):
    """A connection inside a transaction. Other errors of the driver pass through; the transaction's owner maps them."""

    def fetch_all(self, statement: Statement, values: Values) -> list[Any]:
        """Every row as a tuple. All are fetched, so that no cursor keeps the snapshot open."""
        ...

    def fetch_one(self, statement: Statement, values: Values) -> Any:
        """The first row as a tuple, or None."""
        ...

    def execute(self, statement: Statement, values: Values) -> int:
        """The number of rows changed. Raises IntegrityViolation."""
        ...

    def execute_many(self, statement: Statement, rows: Sequence[Values]) -> None:
        """Run the statement once per row. Raises IntegrityViolation."""
        ...
