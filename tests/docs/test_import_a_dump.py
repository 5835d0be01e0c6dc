"""The how-to on dumps works when pasted, and its reference has the formats of the code."""

from __future__ import annotations

from pathlib import Path

from tests.docs.code_blocks import DOCS
from tests.docs.executed_pages import follow_page, list_documented_outputs
from threadbridge_migrate.conversion.converter import FORMATS as TARGET_FORMATS
from threadbridge_migrate.dumps.formats import FORMATS

PAGE = "how-to/import-a-dump.md"


def test_every_command_of_the_page_prints_its_output(tmp_path: Path) -> None:
    printed = list(follow_page(PAGE, tmp_path))

    assert printed == list_documented_outputs(PAGE)


def test_the_reference_has_the_table_of_formats() -> None:
    page = (DOCS / "reference" / "migrate.md").read_text()

    rows = "".join(f"| {each.name} | {each.description} |\n" for each in FORMATS)

    assert rows in page


def test_the_reference_has_the_table_of_target_formats() -> None:
    page = (DOCS / "reference" / "migrate.md").read_text()

    rows = "".join(f"| {each.name} | {each.description} |\n" for each in TARGET_FORMATS)

    assert rows in page
