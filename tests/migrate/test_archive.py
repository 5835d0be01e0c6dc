"""Reading archives."""

from __future__ import annotations

from pathlib import Path

import pytest

from threadbridge_migrate.archive.reader import Archive, Part, read_manifest, summarise
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.archive.writer import ArchiveWriter
from threadbridge_migrate.errors import ArchiveError


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    source = {"backend": "assistants", "base_url": None}
    with ArchiveWriter(path, source=source, options={}, now=lambda: 1000.0) as writer:
        with RecordBuffer("thread", "thread_1") as draft:
            draft.add(Part.THREADS, [{"id": "thread_1", "x_new": 1.0}])
            draft.add(Part.MESSAGES, [{"id": "msg_1"}, {"id": "msg_2"}])
            writer.commit([draft])
        writer.finish()
    return path


def test_objects_are_read_back_with_every_field(archive: Path) -> None:
    opened = Archive.open(archive)

    assert list(opened.read_part(Part.THREADS)) == [{"id": "thread_1", "x_new": 1.0}]
    assert [message["id"] for message in opened.read_part(Part.MESSAGES)] == ["msg_1", "msg_2"]
    assert list(opened.read_part(Part.RUNS)) == []


def test_a_summary_says_where_from_and_how_much(archive: Path) -> None:
    assert summarise(archive).splitlines() == [
        f"Archive {archive} (complete), from backend assistants",
        "  assistants                0",
        "  threads                   1",
        "  messages                  2",
        "  runs                      0",
        "  steps                     0",
        "  vector_stores             0",
        "  vector_store_files        0",
        "  files                     0",
        "  contents                  0",
        "  errors                    0",
    ]


def test_a_manifest_keeps_fields_of_later_versions(archive: Path) -> None:
    text = (archive / "manifest.json").read_text()
    (archive / "manifest.json").write_text(text.replace("{", '{"x_later": [1],', 1))

    assert read_manifest(archive).model_dump()["x_later"] == [1]


DAMAGES = {
    "no manifest": (None, "has no manifest.json"),
    "no json": ("{", "is not a manifest"),
    "another format": (
        '{"format":"other","written_by":"x","created_at":1,"updated_at":1,"source":{}}',
        "describes a 'other'",
    ),
}


@pytest.mark.parametrize(("text", "message"), DAMAGES.values(), ids=DAMAGES.keys())
def test_what_is_no_archive_is_said_to_be_none(tmp_path: Path, text: str | None, message: str) -> None:
    (tmp_path / ("other.json" if text is None else "manifest.json")).write_text(text or "")

    with pytest.raises(ArchiveError, match=message):
        Archive.open(tmp_path)


def test_a_damaged_line_is_named_by_its_number(archive: Path) -> None:
    size = (archive / "messages.jsonl").stat().st_size
    (archive / "messages.jsonl").write_bytes(b"{}\n" + b"x" * (size - 4) + b"\n")

    with pytest.raises(ArchiveError, match=r"messages\.jsonl, line 2, is not JSON"):
        list(Archive.open(archive).read_part(Part.MESSAGES))


@pytest.mark.parametrize("exists", [True, False])
def test_a_part_that_lost_its_end_is_not_read_as_if_it_were_whole(archive: Path, *, exists: bool) -> None:
    part = archive / "messages.jsonl"
    part.write_bytes(part.read_bytes()[:-20])
    if not exists:
        part.unlink()

    with pytest.raises(ArchiveError, match="missing or too short; run the export again"):
        list(Archive.open(archive).read_part(Part.MESSAGES))


def test_an_archive_in_the_middle_of_its_repair_is_not_read(archive: Path) -> None:
    (archive / "journal.jsonl.repaired").write_bytes(b"")

    with pytest.raises(ArchiveError, match="run its export again to finish it"):
        Archive.open(archive)
