"""The newest version in the changelog is the installed one."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "CHANGELOG.md"


def test_the_newest_version_is_the_installed_one() -> None:
    headings = re.findall(r"^## \[(.+?)\](?: - (?:\d{4}-\d\d-\d\d|unreleased))?$", PAGE.read_text(), re.MULTILINE)

    assert headings[:2] == ["Unreleased", version("threadbridge")]
