"""The rules of the behaviour reference, A1 to A104: the tests with their numbers, and what covers the others.

A rule matters if a client can notice it. It then has a test with its number in the name (`test_a52_…`). Any
other rule has a row here: the numbered difference that was chosen, the issue whose work it is, or why there is nothing
to test.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

RULES = range(1, 105)

TESTS = Path(__file__).parents[1]

_NAME = re.compile(r"def (test_\w+)")
_NUMBER = re.compile(r"_a(\d+)[a-d]?(?=_)")


class OtherCoverage(NamedTuple):
    """What covers a rule: `D14` (a row of docs/compatibility.md), `issue 4`, or `nothing to do`; and the reason."""

    coverage: str
    reason: str


#: Rules without a test of their number, by number.
OTHER_COVERAGE: Mapping[int, OtherCoverage] = {
    6: OtherCoverage("D31", "no rate limits of our own; those of the service behind reach the run"),
    7: OtherCoverage("D8, D32", "objects belong to a tenant; GET /threads is an extension"),
    14: OtherCoverage("D1", "an unknown cursor gives an empty page"),
    30: OtherCoverage("D70", "a thread may hold any number of messages"),
    36: OtherCoverage("D27", "the length of a message"),
    69: OtherCoverage("D65", "an output without the id of its call"),
    80: OtherCoverage("D49, D50", "token budgets"),
    81: OtherCoverage("D51", "the end at the completion limit"),
    83: OtherCoverage("nothing to do", "a price that no longer exists"),
    97: OtherCoverage("D59", "an error inside a stream"),
    104: OtherCoverage("nothing to do", "prices of storage"),
}


def find_numbered_tests() -> Mapping[int, tuple[str, ...]]:
    """For each rule the tests with its number in their names, as `path::name`."""
    tests_by_rule: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name in _NAME.findall(path.read_text()):
            for number in _NUMBER.findall(name):
                tests_by_rule.setdefault(int(number), []).append(f"{path.relative_to(TESTS.parent)}::{name}")
    return {number: tuple(tests) for number, tests in sorted(tests_by_rule.items())}
