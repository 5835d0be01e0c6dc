"""Rows of costs, costs that are not known, and days by date or by age."""

from __future__ import annotations

import pytest

from threadbridge.costs.report import CostRow, build_cost_rows, format_cost, parse_day, sum_cost_rows
from threadbridge.ports import SpendByKey, SpendScope, SpendTotals

CHEAP = SpendByKey("a", SpendTotals(turns=1, prompt_tokens=9, nanodollars=1))
DEAR = SpendByKey("b", SpendTotals(turns=1, prompt_tokens=1, nanodollars=2))
TODAY = 20_000
UNKNOWN = SpendByKey("c", SpendTotals(turns=1, unpriced=1, prompt_tokens=5))
LONGER = SpendByKey("d", SpendTotals(turns=1, unpriced=1, prompt_tokens=6))


def test_the_dearest_comes_first_and_what_has_no_price_goes_by_its_tokens() -> None:
    rows = build_cost_rows(SpendScope.THREAD, [UNKNOWN, CHEAP, LONGER, DEAR])

    assert [row.key for row in rows] == ["b", "a", "d", "c"]


def test_a_row_tells_its_key_under_the_name_of_its_scope() -> None:
    row = CostRow(SpendScope.MODEL, *UNKNOWN).to_json()

    assert (row["model"], row["usd"], row["turns"], row["unpriced_turns"]) == ("c", None, 1, 1)


def test_the_sum_is_that_of_all_rows() -> None:
    rows = build_cost_rows(SpendScope.THREAD, [UNKNOWN, CHEAP, DEAR])

    assert sum_cost_rows(rows) == SpendTotals(turns=3, unpriced=1, prompt_tokens=15, nanodollars=3)


@pytest.mark.parametrize(
    ("spent", "told"),
    [
        (SpendTotals(), "$0.00"),
        (SpendTotals(turns=1, nanodollars=5 * 10**8), "$0.50"),
        (SpendTotals(turns=1, unpriced=1), "unknown"),
        (SpendTotals(turns=2, unpriced=1, nanodollars=5 * 10**8), "$0.50 + unknown"),
    ],
)
def test_a_cost_that_is_not_known_is_told_as_unknown(spent: SpendTotals, told: str) -> None:
    assert format_cost(spent) == told


@pytest.mark.parametrize(
    ("text", "day"),
    [("1970-01-02", 1), ("2024-10-04", TODAY), ("0d", TODAY), ("7d", TODAY - 7), ("4w", TODAY - 28)],
)
def test_a_day_is_named_by_its_date_or_by_how_long_ago_it_was(text: str, day: int) -> None:
    assert parse_day(text, today=TODAY) == day


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "7", "-7d", "7 d", "1.5d", "12h", "٣d"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a day. Give a date, .* 2026-11-01, or an age, such as 7d or 4w\."):
        parse_day(text, today=TODAY)
