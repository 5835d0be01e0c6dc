"""The fenced blocks of a page, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
_BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block: its language, the file name after it if there is one, and its text."""

    language: str
    name: str | None
    text: str


def list_blocks(page: str) -> list[CodeBlock]:
    """Return the blocks of a page under docs/."""
    return [
        CodeBlock(found["language"], found["name"], found["text"])
        for found in _BLOCK.finditer((DOCS / page).read_text())
    ]
