"""The how-to on old ids works when pasted."""

from __future__ import annotations

from pathlib import Path

from tests.docs.executed_pages import follow_page, list_documented_outputs

PAGE = "how-to/keep-old-ids.md"


def test_every_command_of_the_page_prints_its_output(tmp_path: Path) -> None:
    printed = list(follow_page(PAGE, tmp_path))

    assert len(printed) == 2
    assert printed == list_documented_outputs(PAGE)
