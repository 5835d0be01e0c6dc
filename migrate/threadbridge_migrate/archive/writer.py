"""Writes an archive so that killing the process at any moment neither loses nor duplicates an object."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack
from importlib.metadata import version
from pathlib import Path
from typing import BinaryIO, Self

import orjson

from threadbridge.api_types import JsonMapping
from threadbridge_migrate.archive.journal import JOURNAL, ExportProgress, JournalEntry, replay_journal
from threadbridge_migrate.archive.part_verification import (
    Damage,
    find_damage,
    find_lost_contents,
    find_records,
    finish_repair,
    repair,
)
from threadbridge_migrate.archive.reader import (
    CONTENTS_FOLDER,
    MANIFEST,
    OBJECT_PARTS,
    VERSION,
    ArchiveState,
    FileRecord,
    Manifest,
    Part,
    open_private,
    read_manifest,
)
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.errors import ArchiveError, UsageError

#: Bytes of a part to read and hash at once.
_CHUNK_BYTES = 1 << 20

WRITTEN_BY = f"threadbridge {version('threadbridge')}"

#: Files that a directory may contain before the first manifest is written.
_INITIAL_FILES = frozenset({JOURNAL, f"{MANIFEST}.new"})


class ArchiveWriter:
    """Writes into an archive's directory; use it as a context manager.

    An existing export of the same source is continued and may be extended by more threads. Raises UsageError for a
    directory with other contents, and ArchiveError while another process is writing to it.
    Objects in damaged files are removed from the archive (`damage`) and must be fetched again.
    """

    def __init__(
        self,
        path: Path,
        *,
        source: JsonMapping,
        options: JsonMapping,
        outdated: Collection[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self.path = path
        self.progress = ExportProgress()
        #: The damage found when the archive was opened.
        self.damage: Damage | None = None
        self._now = now
        #: Threads that changed at the source: they are removed when the archive is opened, and fetched again.
        self._outdated = frozenset(outdated)
        self._open_files = ExitStack()
        self._parts: dict[Part, _PartFile] = {}
        self._journal: BinaryIO
        self._options = dict(options)
        self._is_started = False
        moment = int(now())
        self._manifest = Manifest(
            written_by=WRITTEN_BY, created_at=moment, updated_at=moment, source=dict(source), options=self._options
        )

    def __enter__(self) -> Self:
        with ExitStack() as opening:
            self._open_directory(opening)
            self._open_files = opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._open_files.close()

    def commit(self, buffers: Sequence[RecordBuffer]) -> None:
        """Write buffers in order. They are on disk when this returns. Raises OSError."""
        if not self._is_started:
            self._start()
        entries: list[tuple[JournalEntry, dict[str, int], dict[str, str]]] = []
        for buffer in buffers:
            buffer.copy_to(self._parts)
            sizes = {part.value: file.size for part, file in self._parts.items()}
            hashes = {part.value: sha256 for part, file in self._parts.items() if (sha256 := file.end_piece())}
            entries.append((buffer.to_journal_entry(), sizes, hashes))
        for part_file in self._parts.values():
            _flush_to_disk(part_file.file)
        for entry, sizes, hashes in entries:
            self.progress.add(entry)
            self._journal.write(entry.to_line(sizes, hashes))
        _flush_to_disk(self._journal)

    def finish(self) -> Manifest:
        """Write `errors.jsonl` and the final manifest, whose state is `complete`, or `incomplete` after failures.

        A finished archive to which nothing was added is not changed. Raises ArchiveError if another program changed a
        part: then the archive stays unfinished.
        """
        if not self._is_started:
            # `errors.jsonl` is written again if it differs from the manifest: the journal has all of it.
            errors = self.path / Part.ERRORS.filename
            known = self._manifest.files.get(errors.name)
            if known is not None and not (errors.exists() and _make_file_record(errors) == known):
                self._write_errors()
            return self._manifest
        self._write_errors()
        files = {part.filename: _make_file_record(self.path / part.filename) for part in Part}
        for part, file in self._parts.items():
            if files[part.filename] != FileRecord(bytes=file.size, sha256=file.whole.hexdigest()):
                raise ArchiveError(
                    f"{self.path / part.filename} was changed by another program during the export; run the same "
                    "command again to fetch the damaged objects again."
                )
        return self._write_manifest("incomplete" if self.progress.failed else "complete", files)

    def _open_directory(self, opening: ExitStack) -> None:
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._resume_or_reject()
        self._journal = self._open_journal(opening)
        finish_repair(self.path)
        self.progress = replay_journal(self.path / JOURNAL)
        certified = {} if self._manifest.state == "exporting" else self._manifest.files
        for part in OBJECT_PARTS:
            # Bytes of a finished archive that the journal does not cover would be truncated.
            record = certified.get(part.filename)
            if record is not None and record.bytes != self.progress.sizes.get(part.value, 0):
                raise ArchiveError(
                    f"{self.path / JOURNAL} lost lines: it covers less of {part.filename} than {MANIFEST} lists. The "
                    "archive can be read, but not extended; choose another --out."
                )
        damage = find_damage(self.path, certified)
        if lost := find_lost_contents(self.path):
            damage = Damage(damage.records | lost, tuple(dict.fromkeys((*damage.parts, Part.CONTENTS))))
        for stale in (self.path / CONTENTS_FOLDER).glob("*.new"):
            stale.unlink()
        outdated = find_records(self.path, self._outdated) if self._outdated else frozenset[int]()
        if damage.records or outdated:
            self._manifest = self._write_manifest("exporting", {})
            repair(self.path, damage._replace(records=damage.records | outdated))
            self.damage = damage if damage.records else None
        if not os.path.samestat(os.fstat(self._journal.fileno()), (self.path / JOURNAL).stat()):
            self._journal = self._open_journal(opening)  # the repair replaced the file
        self.progress = replay_journal(self.path / JOURNAL)
        self._journal.truncate(self.progress.journal_length)
        if self._manifest.state == "exporting":
            self._start()
        for part in OBJECT_PARTS:
            file = opening.enter_context(open_private(self.path / part.filename, "ab+"))
            file.truncate(self.progress.sizes.get(part.value, 0))
            self._parts[part] = _PartFile(file)

    def _open_journal(self, opening: ExitStack) -> BinaryIO:
        """The journal, locked: only one writer per directory."""
        journal = opening.enter_context(open_private(self.path / JOURNAL, "ab"))
        if sys.platform == "win32":
            return journal  # has no flock: concurrent exports into one directory are not detected
        import fcntl

        try:  # the lock is released when the process ends for any reason
            fcntl.flock(journal.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise ArchiveError(
                f"Another export is writing to {self.path}; wait for it, or choose another --out."
            ) from exc
        return journal

    def _resume_or_reject(self) -> None:
        if not (self.path / MANIFEST).exists():
            if any(entry.name not in _INITIAL_FILES for entry in self.path.iterdir()):
                raise UsageError(f"{self.path} is not empty and is not an archive; choose another --out.")
            return
        existing = read_manifest(self.path)
        if existing.source != self._manifest.source:
            raise UsageError(
                f"{self.path} holds an export of another source ({_describe_source(existing.source)}, not "
                f"{_describe_source(self._manifest.source)}); choose another --out."
            )
        self._manifest = existing

    def _start(self) -> None:
        self._is_started = True
        self._manifest = self._manifest.model_copy(
            update={"options": self._options, "written_by": WRITTEN_BY, "version": VERSION}
        )
        self._write_manifest("exporting", {})
        self._write_errors()

    def _write_errors(self) -> None:
        lines = [orjson.dumps(error) + b"\n" for error in self.progress.failed.values()]
        _replace_file(self.path / Part.ERRORS.filename, b"".join(lines))

    def _write_manifest(self, state: ArchiveState, files: Mapping[str, FileRecord]) -> Manifest:
        counts = {part.value: self.progress.counts[part.value] for part in OBJECT_PARTS}
        manifest = self._manifest.model_copy(
            update={
                "state": state,
                "updated_at": int(self._now()),
                "counts": {**counts, Part.ERRORS.value: len(self.progress.failed)},
                "missing_assistants": sorted(self.progress.missing["assistant"]),
                "files": dict(files),
            }
        )
        _replace_file(self.path / MANIFEST, orjson.dumps(manifest.model_dump(), option=orjson.OPT_INDENT_2) + b"\n")
        return manifest


class _PartFile:
    """A part that is being written: its file, its size, and the hashes of all of it and of its current piece."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.whole = hashlib.sha256()
        self.size = 0
        self._piece = hashlib.sha256()
        self._piece_size = 0
        file.seek(0)
        while content := file.read(_CHUNK_BYTES):
            self.whole.update(content)
            self.size += len(content)

    def write(self, content: bytes) -> int:
        """Append bytes."""
        self.whole.update(content)
        self._piece.update(content)
        self.size += len(content)
        self._piece_size += len(content)
        return self.file.write(content)

    def end_piece(self) -> str | None:
        """The SHA-256 of the bytes written since the last call; None if there are none."""
        sha256 = self._piece.hexdigest() if self._piece_size else None
        self._piece, self._piece_size = hashlib.sha256(), 0
        return sha256


def _describe_source(source: JsonMapping) -> str:
    return " ".join(str(value) for value in source.values() if value is not None)


def _flush_to_disk(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _replace_file(path: Path, content: bytes) -> None:
    """Replace the file atomically."""
    temporary = path.with_name(path.name + ".new")
    with open_private(temporary, "wb") as file:
        file.write(content)
        _flush_to_disk(file)
    os.replace(temporary, path)


def _make_file_record(path: Path) -> FileRecord:
    with path.open("rb") as file:
        return FileRecord(bytes=path.stat().st_size, sha256=hashlib.file_digest(file, "sha256").hexdigest())
