"""Every rule of the behaviour reference is covered."""

from __future__ import annotations

import re
from pathlib import Path

from tests.conformance.rule_coverage import OTHER_COVERAGE, RULES, find_numbered_tests

PAGE = Path(__file__).parents[2] / "docs" / "compatibility.md"


def test_every_rule_has_a_test_with_its_number_or_a_row() -> None:
    assert [rule for rule in RULES if rule not in find_numbered_tests() and rule not in OTHER_COVERAGE] == []


def test_rows_and_tests_name_existing_rules() -> None:
    assert [rule for rule in (*OTHER_COVERAGE, *find_numbered_tests()) if rule not in RULES] == []


def test_a_row_names_a_documented_difference_or_an_issue_or_gives_a_reason() -> None:
    places = {place for row in OTHER_COVERAGE.values() for place in row.coverage.split(", ")}
    differences = {place for place in places if place.startswith("D")}
    numbered = set(re.findall(r"^\| (D\d+) \|", PAGE.read_text(), re.MULTILINE))

    assert differences <= numbered
    assert {place for place in places - differences if not re.fullmatch(r"issue [1-5]|nothing to do", place)} == set()
