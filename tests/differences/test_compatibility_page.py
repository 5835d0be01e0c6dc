"""Every row of the compatibility page has a test, and every numbered test has a row."""

from __future__ import annotations

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "compatibility.md"


def read_rows() -> list[list[str]]:
    """The cells of every numbered row."""
    rows = [line.strip("|").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| D")]
    return [[cell.strip() for cell in row] for row in rows]


def list_test_numbers() -> set[int]:
    """The D numbers in test names of this folder."""
    names = [name for path in HERE.glob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())]
    return {int(number) for name in names for number in re.findall(r"_d(\d+)(?=_)", name)}


def test_the_rows_are_numbered_without_gaps() -> None:
    assert [row[0] for row in read_rows()] == [f"D{number}" for number in range(1, len(read_rows()) + 1)]


def test_every_row_has_all_columns() -> None:
    assert [row for row in read_rows() if not all(row[:4]) or len(row) != 5] == []


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    assert list_test_numbers() == set(range(1, len(read_rows()) + 1))
