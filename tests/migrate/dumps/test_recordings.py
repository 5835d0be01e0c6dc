"""Archives of recordings of the real service: loaded, the lists are those that it sent."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import pytest
from typer.testing import CliRunner

from threadbridge.api_types import JsonObject, is_json_object
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.cli.application import app

RECORDINGS = Path(__file__).parents[4] / "shared" / "recordings"
pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not in this checkout")


@cache
def load_reader() -> ModuleType:
    spec = importlib.util.spec_from_file_location("recordings_reader", RECORDINGS / "load.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def list_recordings() -> list[Path]:
    folder = RECORDINGS / "assistants"
    return sorted(path for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else []


@cache
def list_with_messages() -> list[Path]:
    """The recordings in which the service sent an object of a thread."""
    return [path for path in list_recordings() if b"thread.message" in path.read_bytes()]


def iterate_message_lists(path: Path) -> Iterator[JsonObject]:
    """The whole pages of messages that the service sent."""
    recorded: Any = load_reader()
    for interaction in recorded.interactions(path):
        body = interaction.response_json
        if (
            is_json_object(body)
            and body.get("object") == "list"
            and body.get("data")
            and body["data"][0].get("object") == "thread.message"
        ):
            yield body


def deleted_ids(path: Path) -> set[str]:
    """The ids of objects that the recording deletes."""
    recorded: Any = load_reader()
    bodies = (interaction.response_json for interaction in recorded.interactions(path))
    return {str(body["id"]) for body in bodies if is_json_object(body) and body.get("deleted") is True}


def test_there_are_recordings() -> None:
    assert len(list_with_messages()) > 20


def test_every_recording_is_imported_loaded_and_equal(tmp_path: Path) -> None:
    """In one test, because each step is a command: import, load, check, and compare the lists."""
    runner = CliRunner()
    compared = 0
    for number, path in enumerate(list_with_messages()):
        archive, store = str(tmp_path / f"archive-{number}"), f"sqlite:///{tmp_path}/{number}.db"
        imported = runner.invoke(app, ["import-dump", str(path), "--out", archive])
        if imported.exit_code == 4:
            assert not list(iterate_message_lists(path)), path
            continue
        assert imported.exit_code in (0, 1), (path, imported.output)
        loaded = runner.invoke(app, ["load", archive, "--store", store])
        assert loaded.exit_code in (0, 1), (path, loaded.output)
        messages = {each["id"]: each for each in Archive.open(archive).read_part(Part.MESSAGES)}
        lists = list(iterate_message_lists(path))
        last = {each["id"]: each for page in lists for each in page["data"]}
        for message_id, message in last.items():
            if message_id not in messages:
                assert message_id in deleted_ids(path), (path, message_id)
                continue
            assert orjson.dumps(messages[message_id]) == orjson.dumps(message), path
            compared += 1
        checked = runner.invoke(app, ["check", archive, store])
        assert checked.exit_code == (0 if loaded.exit_code == 0 else checked.exit_code), (path, checked.output)
    assert compared > 30
