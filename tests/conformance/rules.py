"""The rules of the behaviour reference, A1 to A104: which tests bear their numbers, and what covers the others.

A rule concerns us where a client of text and function tools can notice it. It then has a test whose name says its
number (`test_a52_…`). Any other rule has a row here: the numbered difference that was chosen, the issue whose work
it is, or why there is nothing to test.
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


class Elsewhere(NamedTuple):
    """What covers a rule: `D14` (a line of docs/compatibility.md), `issue 4`, or `nothing to do`; and why."""

    where: str
    why: str


_FILES = "issue 4"

#: Rules without a test of their number, by number.
ELSEWHERE: Mapping[int, Elsewhere] = {
    6: Elsewhere("D31", "no rate limits of our own; those of the service behind reach the run"),
    7: Elsewhere("D8, D32", "objects belong to a tenant; GET /threads is an extension"),
    14: Elsewhere("D1", "an unknown cursor gives an empty page"),
    30: Elsewhere("D70", "a thread may hold any number of messages"),
    31: Elsewhere(_FILES, "vector stores of threads"),
    36: Elsewhere("D27", "the length of a message"),
    37: Elsewhere(_FILES, "which images a model takes is the service's affair"),
    38: Elsewhere(_FILES, "attachments"),
    56: Elsewhere(_FILES, "waiting for a vector store"),
    69: Elsewhere("D65", "an output without the id of its call"),
    80: Elsewhere("D49, D50", "token budgets"),
    81: Elsewhere("D51", "the end at the completion limit"),
    82: Elsewhere(_FILES, "what a file search retrieves"),
    83: Elsewhere("nothing to do", "a price that no longer exists"),
    84: Elsewhere(_FILES, "citations of files"),
    85: Elsewhere(_FILES, "paths of files the model made"),
    86: Elsewhere(_FILES, "charts the model made"),
    87: Elsewhere(_FILES, "citations in deltas"),
    92: Elsewhere(_FILES, "the stream of a file search"),
    93: Elsewhere(_FILES, "the stream of a code interpreter"),
    97: Elsewhere("D59", "an error inside a stream"),
    102: Elsewhere(_FILES, "unknown files"),
    103: Elsewhere(_FILES, "vector stores are the service's own"),
    104: Elsewhere("nothing to do", "prices of storage"),
}


def numbered_tests() -> Mapping[int, tuple[str, ...]]:
    """For every rule that has some, the tests that bear its number, as `path::name`."""
    found: dict[int, list[str]] = {}
    for path in sorted(TESTS.rglob("test_*.py")):
        for name in _NAME.findall(path.read_text()):
            for number in _NUMBER.findall(name):
                found.setdefault(int(number), []).append(f"{path.relative_to(TESTS.parent)}::{name}")
    return {number: tuple(tests) for number, tests in sorted(found.items())}
