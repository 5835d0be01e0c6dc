"""The archive writer, broken off at every byte it writes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from threadbridge_migrate._record_buffer import RecordBuffer
from threadbridge_migrate.archive import Archive, Part
from threadbridge_migrate.errors import ArchiveError
from threadbridge_migrate.writer import ArchiveWriter

THREADS = [f"thread_{n}" for n in range(3)]


def writer(path: Path) -> ArchiveWriter:
    return ArchiveWriter(path, source={"backend": "fake"}, options={}, now=lambda: 1000.0)


def draft(thread_id: str) -> RecordBuffer:
    made = RecordBuffer("thread", thread_id)
    made.add(Part.THREADS, [{"id": thread_id}])
    made.add(Part.MESSAGES, [{"id": f"msg_{n}", "thread_id": thread_id} for n in range(2)])
    return made


def export(path: Path) -> None:
    """Write what is missing, in batches of two."""
    with writer(path) as archive:
        missing = [each for each in THREADS if not archive.progress.is_finished("thread", each)]
        for batch in (missing[:2], missing[2:]):
            drafts = [draft(each) for each in batch]
            archive.commit(drafts)
            for each in drafts:
                each.close()
        archive.finish()


def snapshot(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_a_journal_torn_at_any_byte_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda _: None)  # hundreds of exports need not reach the disk
    whole = tmp_path / "whole"
    export(whole)
    journal = (whole / "journal.jsonl").read_bytes()
    torn = tmp_path / "torn"
    torn.mkdir()

    for cut in range(len(journal)):
        for name, content in snapshot(whole).items():
            (torn / name).write_bytes(content)
        (torn / "journal.jsonl").write_bytes(journal[:cut])
        (torn / "manifest.json").write_bytes(
            (whole / "manifest.json").read_bytes().replace(b'"state": "complete"', b'"state": "exporting"')
        )
        export(torn)
        assert snapshot(torn) == snapshot(whole)


def test_lines_beyond_the_journal_are_cut_off(tmp_path: Path) -> None:
    export(tmp_path / "whole")
    broken = tmp_path / "broken"
    with writer(broken) as archive, draft(THREADS[0]) as first:
        archive.commit([first])
    with (broken / "messages.jsonl").open("ab") as file:
        file.write(b'{"id":"msg_half')

    export(broken)

    assert [m["id"] for m in Archive.open(broken).read_part(Part.MESSAGES)] == ["msg_0", "msg_1"] * 3


def test_a_kill_before_the_first_manifest_leaves_a_directory_one_can_begin_in(tmp_path: Path) -> None:
    (tmp_path / "journal.jsonl").write_bytes(b"")
    (tmp_path / "manifest.json.new").write_bytes(b"{")

    export(tmp_path)

    assert Archive.open(tmp_path).manifest.state == "complete"


def test_a_damaged_journal_is_not_written_to(tmp_path: Path) -> None:
    export(tmp_path)
    (tmp_path / "journal.jsonl").write_bytes(b"not json\n")

    with pytest.raises(ArchiveError, match="is damaged"):
        export(tmp_path)


def test_an_archive_of_a_newer_version_is_not_written_to(tmp_path: Path) -> None:
    export(tmp_path)
    text = (tmp_path / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(text.replace('"version": 1', '"version": 2'))

    with pytest.raises(ArchiveError, match="please update ThreadBridge"):
        export(tmp_path)
