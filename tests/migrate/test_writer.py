"""The archive writer, broken off at every byte it writes."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from threadbridge_migrate.archive.part_verification import list_damaged_threads
from threadbridge_migrate.archive.reader import OBJECT_PARTS, Archive, Part
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.archive.writer import ArchiveWriter
from threadbridge_migrate.errors import ArchiveError

THREADS = [f"thread_{n}" for n in range(3)]


def writer(path: Path) -> ArchiveWriter:
    return ArchiveWriter(path, source={"backend": "fake"}, options={}, now=lambda: 1000.0)


def draft(thread_id: str) -> RecordBuffer:
    made = RecordBuffer("thread", thread_id)
    made.add(Part.THREADS, [{"id": thread_id}])
    made.add(Part.MESSAGES, [{"id": f"msg_{n}", "thread_id": thread_id} for n in range(2)])
    return made


def export(path: Path, *more: str) -> None:
    """Write what is missing, in batches of two."""
    with writer(path) as archive:
        missing = [each for each in (*THREADS, *more) if not archive.progress.is_finished("thread", each)]
        for batch in (missing[:2], missing[2:]):
            drafts = [draft(each) for each in batch]
            archive.commit(drafts)
            for each in drafts:
                each.close()
        archive.finish()


def skip_fsync(_file: int) -> None:
    """Hundreds of exports need not reach the disk."""


def snapshot(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.iterdir()}


def test_a_journal_torn_at_any_byte_loses_and_doubles_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", skip_fsync)
    whole = tmp_path / "whole"
    export(whole)
    journal = (whole / "journal.jsonl").read_bytes()
    torn = tmp_path / "torn"
    torn.mkdir()

    ends = [at for at, byte in enumerate(journal) if byte == ord("\n")]
    for cut in sorted({*range(0, len(journal), 5), *ends, *(end + 1 for end in ends[:-1])}):
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
    (tmp_path / "manifest.json").write_text(text.replace('"version": 2', '"version": 3'))

    with pytest.raises(ArchiveError, match="please update ThreadBridge"):
        export(tmp_path)


def test_an_archive_of_version_1_is_read_and_extended(tmp_path: Path) -> None:
    export(tmp_path)
    names = ("vector_stores", "vector_store_files", "files", "contents", "provenance")
    manifest = orjson.loads((tmp_path / "manifest.json").read_bytes())
    for name in names:
        (tmp_path / f"{name}.jsonl").unlink()
        del manifest["counts"][name], manifest["files"][f"{name}.jsonl"]
    (tmp_path / "manifest.json").write_bytes(orjson.dumps({**manifest, "version": 1}))

    before = [thread["id"] for thread in Archive.open(tmp_path).read_part(Part.THREADS)]
    export(tmp_path, "thread_3")

    archive = Archive.open(tmp_path)
    assert (archive.manifest.version, archive.manifest.state) == (2, "complete")
    assert [thread["id"] for thread in archive.read_part(Part.THREADS)] == [*before, "thread_3"]


# -- Damaged parts ----------------------------------------------------------------------------------------------------


def shorten(part: Path) -> None:
    os.truncate(part, part.stat().st_size - 1)


def empty(part: Path) -> None:
    part.write_bytes(b"")


def alter_the_first_byte_of_a_value(part: Path) -> None:
    """The file keeps its length, and every line stays JSON."""
    content = part.read_bytes()
    at = content.index(b":") + 2
    part.write_bytes(content[:at] + b"X" + content[at + 1 :])


def fill_the_end_with_nul(part: Path) -> None:
    """What a writer did to a shortened file that lengthened it to the size it had."""
    size = part.stat().st_size
    os.truncate(part, size - 30)
    os.truncate(part, size)


DAMAGES: list[Callable[[Path], None]] = [
    shorten,
    empty,
    Path.unlink,
    alter_the_first_byte_of_a_value,
    fill_the_end_with_nul,
]


def as_unfinished(path: Path) -> None:
    text = (path / "manifest.json").read_text()
    (path / "manifest.json").write_text(text.replace('"state": "complete"', '"state": "exporting"'))


def without_hashes(path: Path) -> None:
    """The journal as earlier versions wrote it."""
    journal = path / "journal.jsonl"
    records = [orjson.loads(line) for line in journal.read_bytes().splitlines()]
    for record in records:
        del record["sha256"]
    journal.write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))


def objects(path: Path, part: Part) -> list[str]:
    return sorted(each["id"] + each.get("thread_id", "") for each in Archive.open(path).read_part(part))


def is_certified(path: Path) -> bool:
    """Whether the manifest is that of a finished archive, and the files are as it says."""
    archive = Archive.open(path)
    found = {
        name: (len(content), hashlib.sha256(content).hexdigest())
        for name, content in snapshot(path).items()
        if name in archive.manifest.files
    }
    known = {name: (record.bytes, record.sha256) for name, record in archive.manifest.files.items()}
    return archive.manifest.state == "complete" and found == known


@pytest.mark.parametrize("finished", [True, False], ids=["finished", "unfinished"])
@pytest.mark.parametrize("part", ["threads.jsonl", "messages.jsonl"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_damaged_part_is_named_and_what_it_lacks_is_fetched_again(
    tmp_path: Path, damage: Callable[[Path], None], part: str, *, finished: bool
) -> None:
    export(tmp_path / "whole")
    export(tmp_path / "damaged")
    if not finished:
        as_unfinished(tmp_path / "damaged")
    damage(tmp_path / "damaged" / part)

    with writer(tmp_path / "damaged") as archive:
        found, again = archive.damage, list_damaged_threads(archive.progress)
    unfinished = Archive.open(tmp_path / "damaged").manifest.state
    export(tmp_path / "damaged")

    assert found is not None
    assert re.match(rf"{part} differs from what the export wrote: \d threads? or assistants? ", found.sentence)
    assert again
    assert unfinished == "exporting"
    assert is_certified(tmp_path / "damaged")
    for each in Part:
        assert objects(tmp_path / "damaged", each) == objects(tmp_path / "whole", each)


def test_what_is_intact_is_not_fetched_again(tmp_path: Path) -> None:
    export(tmp_path)
    content = (tmp_path / "messages.jsonl").read_bytes()
    (tmp_path / "messages.jsonl").write_bytes(
        content.replace(b'"msg_1","thread_id":"thread_1"', b'"msg_1","thread_id":"thread_X"')
    )

    with writer(tmp_path) as archive:
        assert list_damaged_threads(archive.progress) == ["thread_1"]
        assert [archive.progress.is_finished("thread", each) for each in THREADS] == [True, False, True]

    assert objects(tmp_path, Part.THREADS) == ["thread_0", "thread_2"]
    assert b"thread_X" in (tmp_path / "messages.jsonl.damaged").read_bytes()


def test_an_archive_with_damage_that_was_not_fetched_again_is_incomplete(tmp_path: Path) -> None:
    export(tmp_path)
    shorten(tmp_path / "messages.jsonl")

    with writer(tmp_path) as archive:
        manifest = archive.finish()
    with writer(tmp_path) as archive:
        again = list_damaged_threads(archive.progress)

    assert manifest.state == "incomplete"
    assert [error["code"] for error in Archive.open(tmp_path).read_part(Part.ERRORS)] == ["damaged_archive"]
    assert again == ["thread_2"]


def test_a_part_that_is_longer_than_its_journal_is_not_damaged(tmp_path: Path) -> None:
    export(tmp_path)
    whole = snapshot(tmp_path)
    for part in ("threads.jsonl", "steps.jsonl"):
        with (tmp_path / part).open("ab") as file:
            file.write(b'{"id":"half')

    with writer(tmp_path) as archive:
        assert archive.damage is None
        archive.finish()

    assert snapshot(tmp_path) == whole


def test_lost_errors_of_a_finished_archive_are_written_again(tmp_path: Path) -> None:
    export(tmp_path)
    (tmp_path / "errors.jsonl").unlink()

    with writer(tmp_path) as archive:
        archive.finish()

    assert is_certified(tmp_path)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_the_damage_of_a_finished_archive_is_found_without_hashes_in_its_journal(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    export(tmp_path)
    without_hashes(tmp_path)
    damage(tmp_path / "messages.jsonl")

    export(tmp_path)

    assert is_certified(tmp_path)
    assert objects(tmp_path, Part.MESSAGES) == sorted(f"msg_{n}{thread}" for n in range(2) for thread in THREADS)


@pytest.mark.parametrize("damage", [shorten, empty, Path.unlink, fill_the_end_with_nul], ids=lambda each: each.__name__)
def test_lost_lines_of_an_unfinished_archive_are_found_without_hashes(
    tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    export(tmp_path)
    without_hashes(tmp_path)
    as_unfinished(tmp_path)
    damage(tmp_path / "messages.jsonl")

    export(tmp_path)

    assert is_certified(tmp_path)
    assert objects(tmp_path, Part.MESSAGES) == sorted(f"msg_{n}{thread}" for n in range(2) for thread in THREADS)


def test_a_journal_torn_over_a_shortened_part_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", skip_fsync)
    whole = tmp_path / "whole"
    export(whole)
    journal = (whole / "journal.jsonl").read_bytes()

    for cut in range(0, len(journal), 7):
        torn = tmp_path / f"torn_{cut}"
        torn.mkdir()
        for name, content in snapshot(whole).items():
            (torn / name).write_bytes(content)
        as_unfinished(torn)
        (torn / "journal.jsonl").write_bytes(journal[:cut])
        os.truncate(torn / "messages.jsonl", 100)
        export(torn)
        assert is_certified(torn)
        assert objects(torn, Part.MESSAGES) == objects(whole, Part.MESSAGES)


def test_a_finished_archive_whose_journal_lost_lines_is_not_cut(tmp_path: Path) -> None:
    export(tmp_path)
    os.truncate(tmp_path / "journal.jsonl", 10)
    before = snapshot(tmp_path)

    with pytest.raises(
        ArchiveError, match=r"journal\.jsonl lost lines: it covers less of .* than manifest\.json lists"
    ):
        export(tmp_path)

    assert {name: before[name] for name in ("threads.jsonl", "messages.jsonl", "manifest.json")} == {
        name: content
        for name, content in snapshot(tmp_path).items()
        if name in ("threads.jsonl", "messages.jsonl", "manifest.json")
    }


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"1",
        b'{"subject":"thread"}',
        b'{"subject":1,"id":2,"outcome":3,"sizes":4}',
        b"\0\0",
        b'{"subject":"thread","id":["a"],"outcome":"exported","sizes":{}}',
        b'{"subject":"thing","id":"a","outcome":"exported","sizes":{}}',
        b'{"subject":["thread"],"id":"a","outcome":"exported","sizes":{}}',
        b'{"subject":"thread","id":"a","outcome":"gone","sizes":{}}',
        b'{"subject":"thread","id":"a","outcome":"exported","sizes":{"threads":-1}}',
        b'{"subject":"thread","id":"a","outcome":"exported","sizes":{"threads":true}}',
        b'{"subject":"thread","id":"a","outcome":"exported","sizes":{},"counts":["a"]}',
        b'{"subject":"thread","id":"a","outcome":"exported","sizes":{},"counts":{"threads":"x"}}',
        b'{"subject":"thread","id":"a","outcome":"failed","sizes":{},"error":"x"}',
        b'{"subject":"thread","id":"a","outcome":"exported","sizes":{},"sha256":{"threads":1}}',
        b'{"subject":"thread","id":"a","outcome":"exported","sizes":{},"sha256":["ab"]}',
    ],
)
def test_a_line_that_is_none_of_a_journal_is_one_sentence(tmp_path: Path, line: bytes) -> None:
    export(tmp_path)
    with (tmp_path / "journal.jsonl").open("ab") as file:
        file.write(line + b"\n")

    with pytest.raises(ArchiveError, match="is damaged"):
        export(tmp_path)


def test_a_repair_that_is_killed_anywhere_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every call that changes a directory is the last one in turn."""
    monkeypatch.setattr(os, "fsync", skip_fsync)
    whole = tmp_path / "whole"
    export(whole)
    replace, steps = os.replace, 0
    finished = False

    while not finished:
        steps += 1
        left = steps
        path = tmp_path / f"killed_{steps}"
        path.mkdir()
        for name, content in snapshot(whole).items():
            (path / name).write_bytes(content)
        shorten(path / "messages.jsonl")

        def counted(source: Path, target: Path) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            replace(source, target)

        monkeypatch.setattr(os, "replace", counted)
        try:
            with writer(path):
                finished = True
        except KeyboardInterrupt:
            pass
        monkeypatch.setattr(os, "replace", replace)
        export(path)

        assert is_certified(path)
        assert objects(path, Part.MESSAGES) == objects(whole, Part.MESSAGES)
        assert not [name for name in snapshot(path) if "repaired" in name]
    assert steps > len(OBJECT_PARTS)


def test_a_part_that_changes_while_it_is_written_is_not_certified(tmp_path: Path) -> None:
    with writer(tmp_path) as archive, draft(THREADS[0]) as first:
        archive.commit([first])
        alter_the_first_byte_of_a_value(tmp_path / "messages.jsonl")

        with pytest.raises(ArchiveError, match="was changed by another program"):
            archive.finish()

    export(tmp_path)
    assert is_certified(tmp_path)
