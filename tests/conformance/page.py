"""Write docs/conformance.md: `python -m tests.conformance.page`. With --check, only say whether it is up to date.

Without the recordings and the published schema beside this checkout there is nothing to count, and nothing is checked.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.conformance.golden.judge import Verdict
from tests.conformance.golden.recordings import SHARED
from tests.conformance.published import SLICE
from tests.conformance.replay import Outcome, replayed
from tests.conformance.standing import Tally, of_the_recordings, of_the_rules, of_the_schema, of_the_texts

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "conformance.md"
COMPATIBILITY = DOCS / "compatibility.md"

_HEAD = """\
# Conformance

<!-- Written by `python -m tests.conformance.page` from what it counts. Change that, not this page. -->

How much of the Assistants API v2 is answered as the service answered it. Three things are held against the product: the
published schema, the [behaviour reference](reference/assistants-behaviour.md) with its rules A1 to A104, and recordings
of the real service, whose requests are made again (`python -m tests.conformance.replay`). Properties that the schema
has and the wire never had are not counted. Differences (D…) are the numbered lines of
[compatibility.md](compatibility.md).
"""


def page(outcome: Outcome) -> str:
    """The page."""
    recorded = of_the_recordings(outcome)
    tallies = [*asyncio.run(of_the_schema()), of_the_rules(), of_the_texts(), *recorded]
    parts = [_HEAD, "## Counted", "", *_table(tallies), "", "## Recordings", "", *_recordings(outcome)]
    return "\n".join([*parts, "", "## Open", "", *_open(tallies)]) + "\n"


def _table(tallies: Sequence[Tally]) -> Iterator[str]:
    yield "| | answered | of |"
    yield "|---|---|---|"
    yield from (f"| {tally.of_what} | {tally.done} | {tally.all} |" for tally in tallies)


def _recordings(outcome: Outcome) -> Iterator[str]:
    yield f"{outcome.sessions} recorded sessions with {len(outcome.judged)} interactions:"
    yield ""
    yield from (f"- {verdict.value}: {outcome.count(verdict)}" for verdict in Verdict)
    yield ""
    yield "| difference | met in interactions |"
    yield "|---|---|"
    numbers = Counter(number for each in outcome.judged for number in each.numbers)
    yield from (f"| D{number} | {count} |" for number, count in sorted(numbers.items()))
    yield ""
    yield "| not replayable, because | interactions |"
    yield "|---|---|"
    reasons = Counter(each.reason for each in outcome.of(Verdict.NOT_REPLAYABLE))
    yield from (f"| {reason} | {count} |" for reason, count in sorted(reasons.items()))


def _open(tallies: Sequence[Tally]) -> Iterator[str]:
    points = [f"- {tally.of_what}: {point}" for tally in tallies for point in tally.open]
    points += [f"- difference {number}, not built yet: {where}" for number, where in _not_built()]
    yield from points or ["Nothing."]


def _not_built() -> Iterator[tuple[str, str]]:
    rows = re.findall(r"^\| (D\d+) \| (.*?) \|.*not built yet.*$", COMPATIBILITY.read_text(), re.MULTILINE)
    yield from rows


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where the page is out of date")
    given = parser.parse_args()
    if not (SLICE.is_file() and SHARED.is_dir()):
        print("The recordings and the published schema are not beside this checkout: the page is left as it is.")
        return 0
    logging.disable(logging.WARNING)  # the replay is not what these warnings are for
    text = page(replayed(SHARED / "assistants"))
    if not given.check:
        PAGE.write_text(text)
        return 0
    if PAGE.exists() and PAGE.read_text() == text:
        return 0
    print(f"{PAGE.name} is out of date; run python -m tests.conformance.page", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
