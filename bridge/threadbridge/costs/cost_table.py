"""What was spent as lines, one for each thread, assistant or model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from threadbridge.costs.pricing import format_dollars, sum_spending
from threadbridge.costs.report import build_total_report
from threadbridge.ports import SpendByKey, SpendScope, SpendTotals


@dataclass(frozen=True, slots=True)
class CostRow:
    """What one of them spent."""

    scope: SpendScope
    key: str
    spent: SpendTotals

    def to_json(self) -> dict[str, Any]:
        """The row as a JSON object: its key under the name of the scope, and the sum as a report tells it."""
        return {self.scope.value: self.key, **build_total_report(self.spent)}


def build_cost_rows(scope: SpendScope, tallies: Iterable[SpendByKey]) -> Sequence[CostRow]:
    """A row for each, the dearest on top; those of unknown price by their tokens."""
    rows = [CostRow(scope, key, spent) for key, spent in tallies]
    return sorted(rows, key=lambda row: (-row.spent.nanodollars, -_count_tokens(row.spent), row.key))


def _count_tokens(spent: SpendTotals) -> int:
    return spent.prompt_tokens + spent.completion_tokens


def sum_cost_rows(rows: Iterable[CostRow]) -> SpendTotals:
    """All of them together."""
    return sum_spending(row.spent for row in rows)


def format_cost(spent: SpendTotals) -> str:
    """The price for people; what has none is unknown, and never zero."""
    if not spent.unpriced:
        return format_dollars(spent.nanodollars)
    return "unknown" if spent.unpriced == spent.turns else f"{format_dollars(spent.nanodollars)} + unknown"
