"""Every demand of real clients, C1 to C20, is somewhere in the name of a test."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
DEMANDS = range(1, 21)


def numbers_of_tests() -> set[int]:
    sources = [path.read_text() for path in TESTS.rglob("test_*.py")]
    names = [name for source in sources for name in re.findall(r"def (test_\w+)\(", source)]
    return {int(number) for name in names for number in re.findall(r"_c(\d+)(?=_)", name)}


def test_every_demand_has_a_test() -> None:
    assert numbers_of_tests() == set(DEMANDS)
