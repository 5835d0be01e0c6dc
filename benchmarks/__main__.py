"""`python -m benchmarks [--quick] [--json] [NAME …]`: measure, print one table, exit 1 if a bound is exceeded."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeAlias

from benchmarks import (
    audit,
    export,
    gateway,
    history,
    hosted_tools,
    large_message,
    load,
    long_thread,
    start_up,
    state,
    thread_length,
    transport,
    upload,
)
from benchmarks._results import Row
from benchmarks._sample_sizes import QUICK, Effort
from benchmarks._table import format_table

Benchmark: TypeAlias = Callable[[Effort, Path, Callable[[str], None]], list[Row]]

BENCHMARKS: Mapping[str, Benchmark] = {
    "gateway": gateway.measure,
    "transport": transport.measure,
    "start_up": start_up.measure,
    "large_message": large_message.measure,
    "long_thread": long_thread.measure,
    "thread_length": thread_length.measure,
    "history": history.measure,
    "state": state.measure,
    "export": export.measure,
    "load": load.measure,
    "upload": upload.measure,
    "audit": audit.measure,
    "hosted_tools": hosted_tools.measure,
}


def _log(message: str) -> None:
    print(message, file=sys.stderr, flush=True)


def _run_benchmark(name: str, effort: Effort) -> list[Row]:
    _log(f"measuring {name}")
    with tempfile.TemporaryDirectory(prefix="threadbridge-benchmark-") as directory:
        return BENCHMARKS[name](effort, Path(directory), _log)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*BENCHMARKS, []], metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--quick", action="store_true", help="a few requests each, as a smoke test")
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else Effort()

    rows = [row for name in arguments.names or BENCHMARKS for row in _run_benchmark(name, effort)]

    if arguments.json:
        today = datetime.now(UTC).date().isoformat()
        print(json.dumps({"date": today, "quick": arguments.quick, "rows": [row.to_json() for row in rows]}, indent=2))
    else:
        print(format_table(rows))
    return 0 if all(row.holds for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
