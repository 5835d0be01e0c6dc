"""The example of the README runs, and it has two commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.code_blocks import list_blocks

README = "../README.md"


def test_the_example_of_the_readme_runs(tmp_path: Path) -> None:
    [example] = [block.text for block in list_blocks(README) if block.language == "python"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))}

    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        env=inherited,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, "completed ECHO: Hello\n")


def test_demo_and_test_are_one_command_each() -> None:
    commands = {block.name: block.text for block in list_blocks(README) if block.language == "sh"}

    assert commands == {"demo": "make demo\n", "test": "make test\n"}
