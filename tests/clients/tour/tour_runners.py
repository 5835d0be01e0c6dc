"""What each SDK's tour tells, and what it must tell."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.clients.tour.transcript import Chapter, parse_chapter, parse_chapters
from tests.examples.example_programs import run_command

ROOT = Path(__file__).parents[3]
NODE_PROGRAMS = Path(__file__).parent / "node"
TRANSCRIPTS = Path(__file__).parent / "transcripts"
#: The operations that Node's SDK shows in its own way, or has alone.
NODE_TRANSCRIPTS = TRANSCRIPTS / "node"


def run_python_tour(url: str, *options: str, python: str = sys.executable) -> Mapping[str, Chapter]:
    """The tour of the SDK that an interpreter finds; with `--async` that of its asynchronous client."""
    module = ("-W", "ignore::DeprecationWarning", "-m", "tests.clients.tour")
    return parse_chapters(run_command(python, *module, *options, url=url, folder=ROOT))


def run_node_tour(url: str) -> Mapping[str, Chapter]:
    """The tour of the SDK for Node."""
    return parse_chapters(run_command(find_node(), "tour.mjs", url=url, folder=NODE_PROGRAMS))


def find_node() -> str:
    """The interpreter of JavaScript."""
    return shutil.which("node") or "node"


def load_expected(*, own_folder: Path | None = None) -> Mapping[str, Chapter]:
    """What every SDK must tell; `of`: the folder of what one tells in its own way."""
    chapters = _read_folder(TRANSCRIPTS)
    own = _read_folder(own_folder) if own_folder else {}
    return {name: {**chapter, **own.get(name, {})} for name, chapter in chapters.items()}


def _read_folder(folder: Path) -> dict[str, Chapter]:
    return {path.stem: parse_chapter(path.read_text("utf-8")) for path in folder.glob("*.jsonl")}
