"""Follows a page as a reader would: files are saved, commands run, and their output is returned."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from tests.docs.code_blocks import CodeBlock, list_blocks

SECONDS = 60
_BIN = Path(sys.executable).parent


def list_documented_outputs(page: str) -> list[tuple[str, str]]:
    """The commands of a page, each with the output that follows it on the page."""
    return [(block.text, following.text) for block, following in pairwise(list_blocks(page)) if block.language == "sh"]


def follow_page(page: str, directory: Path) -> Iterator[tuple[str, str]]:
    """Save the named blocks and run the commands from top to bottom; yield each command and its output."""
    for block in list_blocks(page):
        if block.name is not None:
            (directory / block.name).write_text(block.text)
        elif block.language == "sh":
            yield block.text, _run(block, directory)


def _environment() -> dict[str, str]:
    """A reader's shell: the commands of this environment, no key, no settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))}
    return inherited | {
        "PATH": f"{_BIN}{os.pathsep}{inherited['PATH']}",
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
    }


def _run(commands: CodeBlock, directory: Path) -> str:
    result = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.text],
        cwd=directory,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
