"""What was spent, line by line, and what is never shown as nothing."""

from __future__ import annotations

import pytest

from threadbridge.costs.cost_table import CostRow, cost_of, cost_rows, sum_of
from threadbridge.ports import Scope, Spent, Tally

CHEAP = Tally("a", Spent(turns=1, prompt_tokens=9, nanodollars=1))
DEAR = Tally("b", Spent(turns=1, prompt_tokens=1, nanodollars=2))
UNKNOWN = Tally("c", Spent(turns=1, unpriced=1, prompt_tokens=5))
LONGER = Tally("d", Spent(turns=1, unpriced=1, prompt_tokens=6))


def test_the_dearest_comes_first_and_what_has_no_price_goes_by_its_tokens() -> None:
    rows = cost_rows(Scope.THREAD, [UNKNOWN, CHEAP, LONGER, DEAR])

    assert [row.key for row in rows] == ["b", "a", "d", "c"]


def test_a_row_tells_its_key_under_the_name_of_its_scope() -> None:
    row = CostRow(Scope.MODEL, *UNKNOWN).to_json()

    assert (row["model"], row["usd"], row["turns"], row["unpriced_turns"]) == ("c", None, 1, 1)


def test_the_sum_is_that_of_all_rows() -> None:
    rows = cost_rows(Scope.THREAD, [UNKNOWN, CHEAP, DEAR])

    assert sum_of(rows) == Spent(turns=3, unpriced=1, prompt_tokens=15, nanodollars=3)


@pytest.mark.parametrize(
    ("spent", "told"),
    [
        (Spent(), "$0.00"),
        (Spent(turns=1, nanodollars=5 * 10**8), "$0.50"),
        (Spent(turns=1, unpriced=1), "unknown"),
        (Spent(turns=2, unpriced=1, nanodollars=5 * 10**8), "$0.50 + unknown"),
    ],
)
def test_a_cost_that_is_not_known_is_told_as_unknown(spent: Spent, told: str) -> None:
    assert cost_of(spent) == told
