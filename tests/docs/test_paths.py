"""Every path of this repository that a page names exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PATH = re.compile(r"`((?:bridge|adapters|migrate|tests|benchmarks|examples|cassettes|docs|\.ci)/[\w./-]*)`")


#: Pages that cite paths of other repositories as evidence.
_EVIDENCE = {"assistants-behaviour.md", "responses-mapping.md", "client-demands.md", "responses-servers.md"}


def _pages() -> list[Path]:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "benchmarks").glob("*.md")]
    return sorted(page for page in pages if page.name not in _EVIDENCE)


@pytest.mark.parametrize("page", _pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = set(_PATH.findall(page.read_text()))

    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_the_architecture_page_names_every_package_of_the_bridge() -> None:
    page = (ROOT / "docs" / "explanation" / "architecture.md").read_text()
    packages = {path.parent.name for path in (ROOT / "bridge" / "threadbridge").glob("*/__init__.py")}

    assert [name for name in sorted(packages) if not re.search(rf"\b{name}\b", page)] == []
