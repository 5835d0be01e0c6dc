"""Days by their date, and by how long ago they were."""

from __future__ import annotations

import pytest

from threadbridge.costs.day_range import parse_day

TODAY = 20_000


@pytest.mark.parametrize(
    ("text", "day"),
    [("1970-01-02", 1), ("2024-10-04", TODAY), ("0d", TODAY), ("7d", TODAY - 7), ("4w", TODAY - 28)],
)
def test_a_day_is_named_by_its_date_or_by_how_long_ago_it_was(text: str, day: int) -> None:
    assert parse_day(text, today=TODAY) == day


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "7", "-7d", "7 d", "1.5d", "12h", "٣d"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no day; name one by its date, like 2026-11-01, or .* like 7d or 4w\."):
        parse_day(text, today=TODAY)
