"""Write what the tours must tell: `python -m tests.clients.tour.rewrite`. Read the diff before committing it.

Node's own part is written where `.ci/clients` has installed its SDK, and left alone elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.clients.tour.told import NODE_PROGRAMS, NODE_TRANSCRIPTS, TRANSCRIPTS, told_by_node, told_by_python
from tests.clients.tour.transcript import Chapter, written
from tests.served import served


def write(folder: Path, chapters: Mapping[str, Chapter]) -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.jsonl"):
        old.unlink()
    for name, chapter in chapters.items():
        (folder / f"{name}.jsonl").write_text(written(chapter), "utf-8")


def own(chapter: Chapter, common: Chapter) -> Chapter:
    """What of a chapter is not as every SDK tells it."""
    return {name: result for name, result in chapter.items() if name not in common or common[name] != result}


if __name__ == "__main__":
    with served("--simulate", "--store", ":memory:") as url:
        common = told_by_python(url)
        write(TRANSCRIPTS, common)
        if (NODE_PROGRAMS / "node_modules").exists():
            parts = {name: own(chapter, common[name]) for name, chapter in told_by_node(url).items()}
            write(NODE_TRANSCRIPTS, {name: part for name, part in parts.items() if part})
