"""What each SDK's tour tells, and what it must tell."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.clients.tour.transcript import Chapter, chapters, read
from tests.examples.programs import output

ROOT = Path(__file__).parents[3]
NODE_PROGRAMS = Path(__file__).parent / "node"
TRANSCRIPTS = Path(__file__).parent / "transcripts"
#: The operations that Node's SDK shows in its own way, or has alone.
NODE_TRANSCRIPTS = TRANSCRIPTS / "node"


def told_by_python(url: str, *options: str, python: str = sys.executable) -> Mapping[str, Chapter]:
    """The tour of the SDK that an interpreter finds; with `--async` that of its asynchronous client."""
    module = ("-W", "ignore::DeprecationWarning", "-m", "tests.clients.tour")
    return chapters(output(python, *module, *options, url=url, folder=ROOT))


def told_by_node(url: str) -> Mapping[str, Chapter]:
    """The tour of the SDK for Node."""
    return chapters(output(node(), "tour.mjs", url=url, folder=NODE_PROGRAMS))


def node() -> str:
    """The interpreter of JavaScript."""
    return shutil.which("node") or "node"


def expected(*, of: Path | None = None) -> Mapping[str, Chapter]:
    """What every SDK must tell; `of`: the folder of what one tells in its own way."""
    chapters = _read(TRANSCRIPTS)
    own = _read(of) if of else {}
    return {name: {**chapter, **own.get(name, {})} for name, chapter in chapters.items()}


def _read(folder: Path) -> dict[str, Chapter]:
    return {path.stem: read(path.read_text("utf-8")) for path in folder.glob("*.jsonl")}
