"""The page on the command line is generated from the help texts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "cli.md"


def test_the_page_is_up_to_date_with_the_commands_help() -> None:
    command = [sys.executable, str(ROOT / ".ci" / "cli_page.py"), "--check"]

    result = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (result.returncode, result.stderr) == (0, "")


def test_both_scripts_have_a_section() -> None:
    headings = {line for line in PAGE.read_text().splitlines() if line.startswith("## ")}

    assert headings == {"## threadbridge", "## migrate"}
