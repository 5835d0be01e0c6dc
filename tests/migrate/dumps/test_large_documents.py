"""Documents that are too large for memory are read piece by piece, with the same result."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.migrate.dumps.dump_shapes import DUMPS, TALK, make_message, make_messages, write_json
from tests.migrate.dumps.test_shapes import import_dump, read_provenance, read_talks
from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.dumps import json_documents, json_reader


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every document counts as large, and every list of two items as long."""
    monkeypatch.setattr(json_reader, "LARGE_JSON_BYTES", 0)
    monkeypatch.setattr(json_documents, "MAX_LIST_ITEMS", 1)


def read_archive(path: Path) -> dict[str, list[JsonObject]]:
    parts = (Part.THREADS, Part.MESSAGES, Part.RUNS, Part.STEPS, Part.ASSISTANTS)
    return {part.value: list(Archive.open(path).read_part(part)) for part in parts}


#: The parser of large documents writes a question mark where the other one writes U+FFFD.
NAMES = [name for name in DUMPS if name != "half surrogates"]


@pytest.mark.parametrize("name", NAMES)
def test_streaming_gives_the_same_archive(tmp_path: Path, name: str, request: pytest.FixtureRequest) -> None:
    DUMPS[name].write(tmp_path / "saved")
    import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "whole"))

    request.getfixturevalue("stream")
    result = import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "streamed"))

    assert result.exit_code == (1 if DUMPS[name].problems else 0), result.output
    assert read_archive(tmp_path / "streamed") == read_archive(tmp_path / "whole")


@pytest.mark.usefixtures("stream")
def test_pages_keep_their_order_and_whether_they_are_the_last(tmp_path: Path) -> None:
    messages = [make_message("thread_a", number, "user", f"line {number}", created_at=1) for number in range(5)]
    write_json({"object": "list", "data": messages[::-1], "has_more": True})(tmp_path / "saved")

    import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"))

    assert read_talks(tmp_path / "archive") == {"thread_a": [("user", f"line {number}") for number in range(5)]}
    assert "messages" in read_provenance(tmp_path / "archive")[0]["missing"]


@pytest.mark.usefixtures("stream")
def test_a_byte_order_mark_and_a_cut_end(tmp_path: Path) -> None:
    content = orjson.dumps([*make_messages("thread_a"), *make_messages("thread_b")])
    (tmp_path / "saved").write_bytes(b"\xef\xbb\xbf" + content[:-30])

    result = import_dump(str(tmp_path / "saved"), "--out", str(tmp_path / "archive"))

    assert result.exit_code == 1
    assert "cut off or damaged" in result.output
    assert read_talks(tmp_path / "archive") == {"thread_a": TALK, "thread_b": TALK[:1]}
