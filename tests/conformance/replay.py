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

from tests.conformance.recorded_sessions.inferred_requests import infer_sessions
from tests.conformance.recorded_sessions.recordings import SHARED, LoaderNotFound, read_recordings
from tests.conformance.recorded_sessions.session_replay import JudgedExchange, Verdict, replay_session
from tests.conformance.recorded_sessions.sessions import group_sessions


@dataclass(frozen=True)
class ReplayResult:
    """The verdicts on all sessions of a folder."""

    sessions: int
    judged: Sequence[JudgedExchange]

    def count(self, verdict: Verdict) -> int:
        return len(self.select(verdict))

    def select(self, verdict: Verdict) -> list[JudgedExchange]:
        return [each for each in self.judged if each.verdict is verdict]


def replay_folder(folder: Path) -> ReplayResult:
    """The verdicts on all recordings below a folder. Raises LoaderNotFound."""
    recorded = read_recordings(folder)
    sessions = [*group_sessions(recorded), *infer_sessions(recorded)]

    async def replay_all() -> list[JudgedExchange]:
        return [each for session in sessions for each in await replay_session(session)]

    return ReplayResult(len(sessions), asyncio.run(replay_all()))


def format_summary(result: ReplayResult, *, verbose: bool = False) -> str:
    """The summary, one fact per line."""
    lines = [f"sessions {result.sessions}", f"interactions {len(result.judged)}"]
    lines += [f"{verdict.value} {result.count(verdict)}" for verdict in Verdict]
    numbers = Counter(number for each in result.judged for number in each.numbers)
    lines += [f"  D{number} in {count}" for number, count in sorted(numbers.items())]
    reasons = Counter(each.reason for each in result.select(Verdict.NOT_REPLAYABLE))
    lines += [f"  {count} not replayable: {reason}" for reason, count in sorted(reasons.items())]
    for each in result.select(Verdict.FAILED):
        exchange = each.exchange
        lines += [f"FAILED {exchange.file}#{exchange.index} {exchange.method} {exchange.path}"]
        lines += [f"    {mismatch}" for mismatch in each.mismatches]
    if verbose:
        for each in result.select(Verdict.NUMBERED):
            exchange = each.exchange
            lines += [
                f"numbered {sorted(each.numbers)} {exchange.file}#{exchange.index} {exchange.method} {exchange.path}"
            ]
            lines += [f"    {mismatch}" for mismatch in each.mismatches]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Replay a folder and print the summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=SHARED, help="a folder of recordings")
    parser.add_argument("--verbose", action="store_true", help="show numbered differences too")
    options = parser.parse_args(arguments)
    if not options.folder.is_dir():
        print(f"There are no recordings at {options.folder}; name a folder that has some.")
        return 0
    try:
        result = replay_folder(options.folder)
    except LoaderNotFound as missing:
        print(missing)
        return 0
    print(format_summary(result, verbose=options.verbose))
    return 1 if result.count(Verdict.FAILED) else 0


if __name__ == "__main__":
    sys.exit(main())
