"""Rows and bounds of the benchmarks, with given numbers."""

from __future__ import annotations

import pytest
from benchmarks._results import Row, make_delay_row, make_ratio_row
from benchmarks._table import format_table


def test_a_ratio_is_the_median_of_the_ratios_of_the_repeats() -> None:
    row = make_ratio_row("run", "ms", [(1.0, 4.0), (9.0, 10.0), (3.0, 6.0)], beside="theirs", bound=0.5)

    assert (row.ours, row.other, row.result, row.holds) == (3.0, 6.0, 0.5, True)


def test_a_delay_is_the_difference_of_the_medians() -> None:
    row = make_delay_row("first delta", [(7.0, 1.0), (8.0, 2.0), (90.0, 3.0)], beside="direct", bound=5.0)

    assert (row.result, row.holds) == (6.0, False)


@pytest.mark.parametrize(("ours", "holds"), [(12.0, True), (8.0, False)])
def test_a_lower_bound_holds_for_the_bound_and_larger_values(ours: float, holds: bool) -> None:
    row = Row("export", "threads/s", ours, 1.0, "loop", "ratio", 10.0, at_least=True)

    assert row.holds is holds


def test_the_table_shows_both_sides_the_result_and_the_bound() -> None:
    rows = [
        Row("run", "ms", 2.0, 4.0, "theirs", "ratio", 0.25),
        Row("memory", "MB", 80.0, None, "", "value", 200.0),
    ]

    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in format_table(rows).splitlines()]

    assert lines[2:] == [
        ["run", "2 ms", "theirs 4 ms", "x 0.5", "<= 0.25", "BROKEN"],
        ["memory", "80 MB", "", "80 MB", "<= 200", "holds"],
    ]


def test_the_json_form_states_whether_the_bound_holds() -> None:
    row = Row("memory", "MB", 80.0, None, "", "value", 200.0)

    body = row.to_json()

    assert (body["name"], body["result"], body["bound"], body["holds"]) == ("memory", 80.0, 200.0, True)
