"""Verifies the parts of an archive against its journal, and repairs the archive if they differ.

A part may have been shortened, removed or altered since it was written. The repair removes the affected subjects from
the archive and records them as failed, so that they are fetched again; all others stay. A kill at any moment of the
repair loses nothing: it writes the new files next to the old ones, and they are valid once `journal.jsonl.repaired`
exists.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self

import orjson

from threadbridge.api_types import is_json_object
from threadbridge_migrate.archive.journal import JOURNAL, ExportProgress, JournalEntry, JournalRecord, read_records
from threadbridge_migrate.archive.reader import (
    OBJECT_PARTS,
    REPAIRED_JOURNAL,
    FileRecord,
    Part,
    is_content_path,
    open_private,
)
from threadbridge_migrate.errors import ArchiveError

#: The `code` of the error of a subject that the repair removed.
DAMAGED = "damaged_archive"

_REPAIRED_SUFFIX = ".repaired"
#: Bytes to read and hash at once.
_CHUNK_BYTES = 1 << 20


class Damage(NamedTuple):
    """The numbers of the journal records whose lines are missing or differ, and the parts that hold these lines."""

    records: frozenset[int]
    parts: tuple[Part, ...]

    @property
    def sentence(self) -> str:
        """The damage and its consequences in a sentence."""
        names = ", ".join(part.filename for part in self.parts)
        verb = "differs" if len(self.parts) == 1 else "differ"
        plural = "" if len(self.records) == 1 else "s"
        objects = f"{len(self.records)} thread{plural} or assistant{plural}"
        return (
            f"{names} {verb} from what the export wrote: {objects} will be fetched again, and the rest of the damaged "
            "file is kept as *.damaged."
        )


def find_damage(path: Path, files: Mapping[str, FileRecord]) -> Damage:
    """Compare the parts with the journal and with `files`, the file records in the manifest of a finished archive.

    Bytes beyond the journal are ignored. Raises ArchiveError for a damaged journal.
    """
    damage, digests = _compare_parts(path, untrusted=frozenset())
    untrusted = {
        part
        for part, digest in digests.items()
        if part not in damage.parts and (known := files.get(part.filename)) is not None and known.sha256 != digest
    }
    # The file differs and its lines have no hashes (an earlier version wrote them): any of them may be wrong.
    return _compare_parts(path, untrusted=frozenset(untrusted))[0] if untrusted else damage


def find_lost_contents(path: Path) -> frozenset[int]:
    """The numbers of the journal records of files whose bytes in the folder of contents are missing or of another size.

    Their hashes are compared by `migrate verify`, which reads all bytes.
    """
    lost = set[str]()
    part = path / Part.CONTENTS.filename
    if part.exists():
        with part.open("rb") as lines:
            for line in lines:
                record = _parse_content_record(line)
                if record is not None and _get_size(path / record[1]) != record[2]:
                    lost.add(record[0])
    if not lost:
        return frozenset()
    records = enumerate(read_records(path / JOURNAL))
    return frozenset(number for number, each in records if each.entry.subject == "file" and each.entry.id in lost)


def _parse_content_record(line: bytes) -> tuple[str, str, object] | None:
    """The id, the path and the size in a line of contents; None if the source refused the content, or for any other."""
    try:
        record: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not is_json_object(record):
        return None
    object_id, path = record.get("id"), record.get("path")
    usable = isinstance(object_id, str) and isinstance(path, str) and is_content_path(path)
    return (str(object_id), str(path), record.get("bytes")) if usable else None


def _get_size(file: Path) -> int | None:
    return file.stat().st_size if file.is_file() and not file.is_symlink() else None


def find_records(path: Path, thread_ids: Collection[str]) -> frozenset[int]:
    """The numbers of the journal records with lines of these threads, their runs and steps among them."""
    return frozenset(
        number
        for number, record in enumerate(read_records(path / JOURNAL))
        if record.entry.subject in ("thread", "runs", "steps") and record.entry.id.partition("/")[0] in thread_ids
    )


def repair(path: Path, damage: Damage) -> None:
    """Remove the damaged subjects from the archive; keep the damaged files as `*.damaged`."""
    with ExitStack() as opened:
        readers = _open_readers(path, opened)
        targets = {part: opened.enter_context(open_private(_repaired_path(path, part), "wb")) for part in OBJECT_PARTS}
        draft = path / f"{REPAIRED_JOURNAL}.new"
        journal = opened.enter_context(open_private(draft, "wb"))
        for number, record in enumerate(read_records(path / JOURNAL)):
            journal.write(_copy_record(record, readers, targets, is_damaged=number in damage.records))
        for file in (*targets.values(), journal):
            file.flush()
            os.fsync(file.fileno())
    for part in damage.parts:
        _keep_damaged(path / part.filename)
    os.replace(draft, path / REPAIRED_JOURNAL)
    finish_repair(path)


def finish_repair(path: Path) -> None:
    """Replace the files by their repaired versions if these are complete; remove these if not."""
    if (path / REPAIRED_JOURNAL).exists():
        for part in OBJECT_PARTS:
            if _repaired_path(path, part).exists():
                os.replace(_repaired_path(path, part), path / part.filename)
        os.replace(path / REPAIRED_JOURNAL, path / JOURNAL)
    else:
        for part in OBJECT_PARTS:
            _repaired_path(path, part).unlink(missing_ok=True)


def list_damaged_threads(progress: ExportProgress) -> list[str]:
    """The threads that a repair removed from the archive and that have not been fetched again."""
    return [
        object_id
        for (subject, object_id), error in progress.failed.items()
        if subject == "thread" and error.get("code") == DAMAGED
    ]


class _PartReader:
    """Reads a part piece by piece, as its journal divides it. A missing part is empty."""

    def __init__(self, file: BinaryIO | None) -> None:
        self._file = file
        self._position = 0
        self.whole = hashlib.sha256()

    @classmethod
    def open(cls, path: Path, opened: ExitStack) -> Self:
        return cls(opened.enter_context(path.open("rb")) if path.exists() else None)

    def read_until(self, end: int) -> Iterator[bytes]:
        """The bytes up to `end`, as far as they exist. Raises ArchiveError if `end` is before the current position."""
        remaining_bytes = end - self._position
        if remaining_bytes < 0:
            raise ArchiveError(f"{JOURNAL} is damaged; what it logged can be read, but not added to.")
        self._position = end
        while (
            remaining_bytes
            and self._file is not None
            and (piece := self._file.read(min(remaining_bytes, _CHUNK_BYTES)))
        ):
            remaining_bytes -= len(piece)
            self.whole.update(piece)
            yield piece

    def is_intact(self, end: int, *, lines: int, sha256: str | None) -> bool:
        """Whether the bytes up to `end` are the written ones. Without a hash, only their size and lines are checked."""
        size, counted, has_nul, last = end - self._position, 0, False, b"\n"
        digest = hashlib.sha256()
        for piece in self.read_until(end):
            digest.update(piece)
            size -= len(piece)
            counted += piece.count(b"\n")
            has_nul = has_nul or b"\0" in piece
            last = piece[-1:]
        if sha256 is not None:
            return size == 0 and digest.hexdigest() == sha256
        return size == 0 and counted == lines and last == b"\n" and not has_nul


def _open_readers(path: Path, opened: ExitStack) -> dict[Part, _PartReader]:
    return {part: _PartReader.open(path / part.filename, opened) for part in OBJECT_PARTS}


def _compare_parts(path: Path, *, untrusted: frozenset[Part]) -> tuple[Damage, dict[Part, str]]:
    """The damage, and the SHA-256 of each part up to the end that the journal records."""
    records: set[int] = set()
    parts: set[Part] = set()
    with ExitStack() as opened:
        readers = _open_readers(path, opened)
        for number, record in enumerate(read_records(path / JOURNAL)):
            for part, reader in readers.items():
                lines, sha256 = record.entry.counts.get(part.value, 0), record.hashes.get(part.value)
                intact = reader.is_intact(record.sizes.get(part.value, 0), lines=lines, sha256=sha256)
                if not intact or (lines and sha256 is None and part in untrusted):
                    records.add(number)
                    parts.add(part)
    damage = Damage(frozenset(records), tuple(part for part in OBJECT_PARTS if part in parts))
    return damage, {part: reader.whole.hexdigest() for part, reader in readers.items()}


def _copy_record(
    record: JournalRecord, readers: Mapping[Part, _PartReader], targets: Mapping[Part, BinaryIO], *, is_damaged: bool
) -> bytes:
    """Copy the lines of a record unless it is damaged. Returns its line for the repaired journal."""
    hashes: dict[str, str] = {}
    for part, reader in readers.items():
        digest = hashlib.sha256()
        for piece in reader.read_until(record.sizes.get(part.value, 0)):
            digest.update(piece)
            if not is_damaged:
                targets[part].write(piece)
        if record.entry.counts.get(part.value) and not is_damaged:
            hashes[part.value] = digest.hexdigest()
    sizes = {part.value: file.tell() for part, file in targets.items()}
    if not is_damaged:
        return record.entry.to_line(sizes, hashes)
    subject, object_id = record.entry.subject, record.entry.id
    error = {
        "kind": subject,
        "id": object_id,
        "status": None,
        "type": "archive_error",
        "param": None,
        "code": DAMAGED,
        "message": "Its lines in the archive were damaged; it has not been fetched again yet.",
        "request_id": None,
    }
    return JournalEntry(subject, object_id, "failed", error=error).to_line(sizes, hashes)


def _repaired_path(path: Path, part: Part) -> Path:
    return path / f"{part.filename}{_REPAIRED_SUFFIX}"


def _keep_damaged(part: Path) -> None:
    """Keep the rest of a damaged part: it is the only copy if the source no longer exists."""
    if not part.exists():
        return
    number = 1
    while (copy := part.with_name(f"{part.name}{'' if number == 1 else f'.{number}'}.damaged")).exists():
        if copy.samefile(part):
            return
        number += 1
    try:
        os.link(part, copy)
    except OSError:  # a file system without hard links
        with part.open("rb") as source, open_private(copy, "xb") as target:
            shutil.copyfileobj(source, target)
