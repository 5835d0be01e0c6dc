"""The connection that the statements of a store run on, whatever the database and its driver."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from threadbridge_adapters.stores.sql.statements import Statement, Values


class IntegrityViolation(Exception):
    """A unique index refused a row. Connections raise it instead of their driver's own class."""


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
