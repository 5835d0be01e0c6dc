"""Archives of recordings of the real service: loaded, compared, and listed as the service listed them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs

import orjson
import pytest
from typer.testing import CliRunner

from tests.bridge.translation.recorded_streams import RECORDINGS, load_interactions, needs_recordings
from tests.emulated_service import open_service
from tests.migrate.dumps.test_shapes import import_dump
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.cli.application import app
from threadbridge_migrate.load.loader import LoadOptions, load_archive

pytestmark = needs_recordings

FOLDER = RECORDINGS / "assistants"


class RecordedList(NamedTuple):
    """The last recorded list of a thread's messages."""

    thread_id: str
    query: dict[str, str]
    body: JsonObject


@cache
def list_recorded_pages() -> dict[str, list[RecordedList]]:
    """The last list of each thread by file."""
    pages: dict[str, dict[str, RecordedList]] = {}
    for seen in load_interactions("assistants"):
        body: Any = seen.response_json
        is_list = re.search(r"/threads(/[^/]+)?/messages$", seen.path or "") and seen.method in ("GET", None)
        if is_list and seen.status in (200, None) and body["object"] == "list" and body["data"]:
            query = {name: values[0] for name, values in parse_qs(seen.query).items()}
            thread_id = body["data"][0]["thread_id"]
            pages.setdefault(seen.file, {})[thread_id] = RecordedList(thread_id, query, body)
    return {file: list(by_thread.values()) for file, by_thread in pages.items()}


def test_there_are_recordings_of_every_kind() -> None:
    assert len(list_recorded_pages()) >= 15


@pytest.mark.parametrize("file", list_recorded_pages())
async def test_lists_answer_the_recorded_bytes(tmp_path: Path, file: str) -> None:
    imported = import_dump(str(FOLDER / file), "--out", str(tmp_path / "archive"))
    assert imported.exit_code == 0, imported.output

    async with open_service() as service:
        archive = Archive.open(tmp_path / "archive")
        await load_archive(archive, service.store, LoadOptions(tenant=CONTEXT.tenant))
        answers = [
            await service.get(f"/threads/{page.thread_id}/messages", **page.query)
            for page in list_recorded_pages()[file]
        ]

    assert [orjson.dumps(answer.body["data"]) for answer in answers] == [
        orjson.dumps(page.body["data"]) for page in list_recorded_pages()[file]
    ]


def test_check_is_clean_after_loading_all_recordings(tmp_path: Path) -> None:
    archive, store = str(tmp_path / "archive"), f"sqlite:///{tmp_path / 'store.db'}"

    imported = import_dump(str(FOLDER), "--out", archive)
    loaded = CliRunner().invoke(app, ["load", archive, "--store", store])
    checked = CliRunner().invoke(app, ["check", archive, store])

    assert len(list(Archive.open(archive).read_part(Part.THREADS))) > 40, imported.output
    assert loaded.exit_code == 0, loaded.output
    assert checked.exit_code == 0, checked.output
    assert checked.stdout.startswith("equal: = ")
