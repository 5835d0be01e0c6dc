"""The diagram of run states is generated from the transition table."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from tests.docs.code_blocks import list_blocks
from threadbridge.run_states import TERMINAL_STATUSES, TRANSITIONS

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date_with_the_table() -> None:
    command = [sys.executable, str(ROOT / ".ci" / "run_states_page.py"), "--check"]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")


def test_the_diagram_has_exactly_the_transitions_of_the_table() -> None:
    [drawing] = list_blocks("reference/run-states.md")

    arrows = {(before, after) for before, after in re.findall(r"^    (\S+) --> (\S+)$", drawing.text, re.MULTILINE)}
    steps = {(before, after) for before, afters in TRANSITIONS.items() for after in afters}
    assert arrows == {("[*]", "queued"), *steps, *((status, "[*]") for status in TERMINAL_STATUSES)}
