"""The tutorial works when pasted: files are saved, commands run, and their output equals the page's."""

from __future__ import annotations

from pathlib import Path

from tests.docs.executed_pages import follow_page, list_documented_outputs

PAGE = "tutorial/getting-started.md"


def test_every_command_of_the_tutorial_prints_the_output_of_the_page(tmp_path: Path) -> None:
    printed = list(follow_page(PAGE, tmp_path))

    assert printed == list_documented_outputs(PAGE)
