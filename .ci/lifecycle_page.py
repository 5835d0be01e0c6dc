"""Draw docs/lifecycle.md from the table of legal steps. With --check, only say whether the page is what it would be."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from threadbridge.run_states import TERMINAL_STATUSES, TRANSITIONS, RunStatus

PAGE = Path(__file__).parents[1] / "docs" / "lifecycle.md"
HEAD = """\
# The life of a run

<!-- Drawn by .ci/lifecycle_page.py from bridge/threadbridge/run_states.py. Change the table, not this page. -->

Every legal step of a run. The code looks each one up in the same table that this page is drawn from, and a step that is
not in it is an error. While a run is in a status that has a way out, it is active: its thread takes no other run and no
message.
"""


def diagram() -> str:
    """The table as a state diagram."""
    lines = ["stateDiagram-v2", f"    [*] --> {RunStatus.QUEUED}"]
    for before, afters in TRANSITIONS.items():
        lines += [f"    {before} --> {after}" for after in RunStatus if after in afters]
    lines += [f"    {status} --> [*]" for status in RunStatus if status in TERMINAL_STATUSES]
    return "\n".join(lines)


def page() -> str:
    """The page."""
    return f"{HEAD}\n```mermaid\n{diagram()}\n```\n"


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where the page is out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page())
        return 0
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    print(f"{PAGE.name} is out of date; run .ci/lifecycle_page.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
