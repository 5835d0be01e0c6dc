"""What was spent as lines, one for each thread, assistant or model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from threadbridge.costs.pricing import dollars, total
from threadbridge.costs.report import total_report
from threadbridge.ports import Scope, Spent, Tally


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one of them spent."""

    scope: Scope
    key: str
    spent: Spent

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object: its key under the name of the scope, and the sum as a report tells it."""
        return {self.scope.value: self.key, **total_report(self.spent)}


def cost_rows(scope: Scope, tallies: Iterable[Tally]) -> Sequence[CostRow]:
    """A row for each, the dearest on top; those of unknown price by their tokens."""
    rows = [CostRow(scope, key, spent) for key, spent in tallies]
    return sorted(rows, key=lambda row: (-row.spent.nanodollars, -_tokens(row.spent), row.key))


def _tokens(spent: Spent) -> int:
    return spent.prompt_tokens + spent.completion_tokens


def sum_of(rows: Iterable[CostRow]) -> Spent:
    """All of them together."""
    return total(row.spent for row in rows)


def cost_of(spent: Spent) -> str:
    """The price for people; what has none is unknown, and never zero."""
    if not spent.unpriced:
        return dollars(spent.nanodollars)
    return "unknown" if spent.unpriced == spent.turns else f"{dollars(spent.nanodollars)} + unknown"
