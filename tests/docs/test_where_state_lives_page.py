"""The page on state explains every reason that a run report can contain."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

from threadbridge.settings import HistoryMode
from threadbridge.translation.continuation import NoContinuationReason

PAGE = (Path(__file__).parents[2] / "docs" / "explanation" / "where-state-lives.md").read_text()


def test_the_page_explains_exactly_the_reasons_of_the_code() -> None:
    rows = PAGE.partition("| reason |")[2].partition("\n\n")[0].splitlines()[2:]

    explained = [name for row in rows for name in re.findall(r"`(\w+)`", row.split("|")[1])]

    assert sorted(explained) == sorted(get_args(NoContinuationReason))


def test_every_mode_has_a_column_in_the_order_of_the_setting() -> None:
    [headings] = [line for line in PAGE.splitlines() if line.startswith("| | `")]

    assert tuple(re.findall(r"`(\w+)`", headings)) == get_args(HistoryMode)
