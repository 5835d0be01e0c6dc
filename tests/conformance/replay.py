"""Replay recordings of the real service against the product: `python -m tests.conformance.replay DIR`.

Every recorded request to the Assistants API is made again, with the model's part played from the recording, and the
answers are compared. A difference is a numbered one (docs/compatibility.md) or a failure; with a failure the exit
code is 1.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.conformance.golden.bare import sessions_of_bare
from tests.conformance.golden.judge import Judged, Verdict, replay
from tests.conformance.golden.recordings import SHARED, NoLoader, read
from tests.conformance.golden.sessions import sessions_of


@dataclass(frozen=True)
class Outcome:
    """All sessions of a folder, judged."""

    sessions: int
    judged: Sequence[Judged]

    def count(self, verdict: Verdict) -> int:
        return len(self.of(verdict))

    def of(self, verdict: Verdict) -> list[Judged]:
        return [each for each in self.judged if each.verdict is verdict]


def replayed(folder: Path) -> Outcome:
    """The verdict on everything below a folder. Raises NoLoader."""
    recorded = read(folder)
    sessions = [*sessions_of(recorded), *sessions_of_bare(recorded)]

    async def all_of_them() -> list[Judged]:
        return [each for session in sessions for each in await replay(session)]

    return Outcome(len(sessions), asyncio.run(all_of_them()))


def told(outcome: Outcome, *, verbose: bool = False) -> str:
    """The summary, one thing a line."""
    lines = [f"sessions {outcome.sessions}", f"interactions {len(outcome.judged)}"]
    lines += [f"{verdict.value} {outcome.count(verdict)}" for verdict in Verdict]
    numbers = Counter(number for each in outcome.judged for number in each.numbers)
    lines += [f"  D{number} in {count}" for number, count in sorted(numbers.items())]
    reasons = Counter(each.reason for each in outcome.of(Verdict.NOT_REPLAYABLE))
    lines += [f"  {count} not replayable: {reason}" for reason, count in sorted(reasons.items())]
    for each in outcome.of(Verdict.FAILED):
        seen = each.seen
        lines += [f"FAILED {seen.file}#{seen.index} {seen.method} {seen.path}"]
        lines += [f"    {mismatch}" for mismatch in each.mismatches]
    if verbose:
        for each in outcome.of(Verdict.NUMBERED):
            seen = each.seen
            lines += [f"numbered {sorted(each.numbers)} {seen.file}#{seen.index} {seen.method} {seen.path}"]
            lines += [f"    {mismatch}" for mismatch in each.mismatches]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay and tell."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED, help="a folder of recordings")
    parser.add_argument("--verbose", action="store_true", help="show numbered differences too")
    given = parser.parse_args(arguments)
    if not given.folder.is_dir():
        print(f"There are no recordings at {given.folder}; name a folder that has some.")
        return 0
    try:
        outcome = replayed(given.folder)
    except NoLoader as missing:
        print(missing)
        return 0
    print(told(outcome, verbose=given.verbose))
    return 1 if outcome.count(Verdict.FAILED) else 0


if __name__ == "__main__":
    sys.exit(main())
