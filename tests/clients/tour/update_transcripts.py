"""Write the expected tour transcripts: `python -m tests.clients.tour.update_transcripts`. Read the diff first.

Node's own part is written where `.ci/clients` has installed its SDK, and left alone elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.clients.tour.tour_runners import NODE_PROGRAMS, NODE_TRANSCRIPTS, TRANSCRIPTS, run_node_tour, run_python_tour
from tests.clients.tour.transcript import Chapter, format_chapter
from tests.gateway_process import serve_gateway


def write_transcripts(folder: Path, chapters: Mapping[str, Chapter]) -> None:
    folder.mkdir(exist_ok=True)
    for old in folder.glob("*.jsonl"):
        old.unlink()
    for name, chapter in chapters.items():
        (folder / f"{name}.jsonl").write_text(format_chapter(chapter), "utf-8")


def select_own_results(chapter: Chapter, common: Chapter) -> Chapter:
    """What of a chapter is not as every SDK tells it."""
    return {name: result for name, result in chapter.items() if name not in common or common[name] != result}


if __name__ == "__main__":
    with serve_gateway("--simulate", "--store", ":memory:") as url:
        common = run_python_tour(url)
        write_transcripts(TRANSCRIPTS, common)
        if (NODE_PROGRAMS / "node_modules").exists():
            parts = {name: select_own_results(chapter, common[name]) for name, chapter in run_node_tour(url).items()}
            write_transcripts(NODE_TRANSCRIPTS, {name: part for name, part in parts.items() if part})
