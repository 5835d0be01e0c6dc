"""The page of provider profiles has the table of the code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from threadbridge.ports import UpstreamCapabilities
from threadbridge.translation.provider_profiles import CAPABILITIES, PROFILES

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "provider-profiles.md").read_text()


def read_rows(page: str) -> list[list[str]]:
    return [
        [cell.strip("` ") for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:3] == "| `"
    ]


def test_the_table_of_profiles_equals_the_code() -> None:
    [names] = [line.split("|")[2:-1] for line in PAGE.splitlines() if line.startswith("| capability | `")]
    documented = [row for row in read_rows(PAGE) if len(row) == len(PROFILES) + 1]

    columns: dict[str, dict[str, Any]] = {
        name.strip("` "): {row[0]: row[column] == "yes" for row in documented}
        for column, name in enumerate(names, start=1)
    }
    profiles = {name: UpstreamCapabilities(**column) for name, column in columns.items()}

    assert profiles == PROFILES


def test_every_capability_is_explained() -> None:
    explained = [row[0] for row in read_rows(PAGE) if len(row) == 3]

    assert tuple(explained) == CAPABILITIES


def test_the_configuration_page_names_every_profile() -> None:
    page = (Path(__file__).parents[2] / "docs" / "reference" / "configuration.md").read_text()
    [row] = re.findall(r"^.*`upstream\.profile`.*$", page, re.MULTILINE)

    assert [name for name in PROFILES if f"`{name}`" not in row] == []
