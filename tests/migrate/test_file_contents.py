"""A source that sends ids which are paths: nothing is written outside of the archive."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from tests.request_context import CONTEXT
from threadbridge_migrate.export.file_contents import download_content
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.thread_source import FileSource


class HostileFiles:
    """Serves every file."""

    async def download_file(self, _: str, write: Callable[[bytes], None]) -> Mapping[str, str]:
        write(b"content")
        return {}


HOSTILE_IDS = ["../outside", "../../outside", "/outside", "..", ".", "a/b", "a\\b", "", "x" * 300]


def list_paths(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


@pytest.mark.parametrize("file_id", HOSTILE_IDS)
async def test_an_id_that_is_a_path_is_refused_by_name(tmp_path: Path, file_id: str) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    source = RateLimitedSource(CONTEXT, concurrency=1, attempts=1)

    record = await download_content(cast("FileSource", HostileFiles()), source, file_id, archive)

    error = cast("dict[str, Any]", record["error"])
    assert (record["path"], error["code"]) == (None, "unusable_id")
    assert list_paths(tmp_path) == [archive]


async def test_a_usual_id_is_a_file_below_contents(tmp_path: Path) -> None:
    source = RateLimitedSource(CONTEXT, concurrency=1, attempts=1)

    record = await download_content(cast("FileSource", HostileFiles()), source, "file-1.v2", tmp_path)

    assert (tmp_path / str(record["path"])).read_bytes() == b"content"
    assert record["path"] == "contents/file-1.v2"
