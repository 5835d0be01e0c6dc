"""Verifies an archive from its own bytes: the files against the manifest, the lines, and what they refer to."""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

import orjson

from threadbridge.api_types import JsonObject, is_json_object
from threadbridge_migrate.archive.journal import JOURNAL, read_records
from threadbridge_migrate.archive.part_verification import find_damage
from threadbridge_migrate.archive.reader import (
    CONTENTS_FOLDER,
    MANIFEST,
    OBJECT_PARTS,
    REPAIRED_JOURNAL,
    Archive,
    Manifest,
    Part,
    is_content_path,
    read_manifest,
)
from threadbridge_migrate.errors import ArchiveError, UsageError

#: Findings of one kind in one file that are listed; more are counted.
MAX_FINDINGS_PER_FILE: Final = 20

_CHUNK_BYTES: Final = 1 << 20
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


class Finding(NamedTuple):
    """Something that is not as it should be: the file, and a sentence."""

    file: str
    reason: str


@dataclass(slots=True)
class VerificationReport:
    """What an archive consists of, and what is wrong with it."""

    state: str = "unknown"
    version: int = 0
    files: int = 0
    bytes: int = 0
    counts: Counter[str] = field(default_factory=Counter[str])
    findings: list[Finding] = field(default_factory=list[Finding])
    more_findings: Counter[str] = field(default_factory=Counter[str])

    def add(self, file: str, reason: str) -> None:
        """Record a finding, or count it if its file has many already."""
        if sum(each.file == file for each in self.findings) < MAX_FINDINGS_PER_FILE:
            self.findings.append(Finding(file, reason))
        else:
            self.more_findings[file] += 1

    def as_json(self) -> JsonObject:
        """The report for programs."""
        return {
            "state": self.state,
            "version": self.version,
            "files": self.files,
            "bytes": self.bytes,
            "counts": dict(self.counts),
            "findings": [each._asdict() for each in self.findings],
            "more_findings": dict(self.more_findings),
        }


def verify(path: Path) -> VerificationReport:
    """Check everything in an archive. Raises ArchiveError if the directory is no archive of a known version."""
    report, manifest = VerificationReport(), read_manifest(path)
    report.state, report.version = manifest.state, manifest.version
    _check_access(path, report)
    _check_seal(path, manifest, report)
    ids: dict[Part, set[int]] = {part: set() for part in OBJECT_PARTS}
    for part in OBJECT_PARTS:
        for number, body in _iterate_lines(path, part, report):
            report.counts[part.value] += 1
            _check_object(path, part, number, body, ids, report)
    if manifest.state != "exporting":
        for name, count in manifest.counts.items():
            if name != Part.ERRORS.value and report.counts[name] != count:
                report.add(f"{name}.jsonl", f"has {report.counts[name]} objects; the manifest counts {count}")
    return report


def require_seal(archive: Archive, *, unsealed: bool) -> None:
    """Compare the files with the manifest, so that no damaged archive is read by half.

    Raises UsageError for an archive that is not sealed, unless `unsealed`; ArchiveError for a damaged one.
    """
    if archive.manifest.state == "exporting":
        if unsealed:
            return
        raise UsageError(
            f"{archive.path} is not sealed: its export has not finished. Finish the export, or take the complete "
            "threads it has with --unsealed."
        )
    for name, record in archive.manifest.files.items():
        size, digest = _hash_file(archive.path / name)
        if size != record.bytes or digest != record.sha256:
            raise ArchiveError(
                f"{archive.path / name} is not what the manifest describes ({size} bytes of {record.bytes}); nothing "
                "was read. Run the export again to repair the archive, or restore the file from a copy."
            )


def _check_access(path: Path, report: VerificationReport) -> None:
    """Only the owner may read an archive, and nothing in it may lead out of it."""
    for folder, names, files in os.walk(path):
        for name in (*names, *files):
            entry = Path(folder) / name
            label = str(entry.relative_to(path))
            if entry.is_symlink():
                report.add(label, "is a symbolic link; an archive has none")
            elif sys.platform != "win32" and entry.stat().st_mode & _OTHERS:
                report.add(label, "can be read by other users; set its mode to 0600, of folders 0700")
    if sys.platform != "win32" and path.stat().st_mode & _OTHERS:
        report.add(".", "can be read by other users; set its mode to 0700")


def _check_seal(path: Path, manifest: Manifest, report: VerificationReport) -> None:
    if (path / REPAIRED_JOURNAL).exists():
        report.add(REPAIRED_JOURNAL, "a repair was interrupted; run the export again to finish it")
    if manifest.state == "exporting":
        report.add(MANIFEST, "is not sealed: the export has not finished")
        try:
            damage = find_damage(path, {})
        except ArchiveError as error:
            report.add(JOURNAL, error.message)
            return
        for part in damage.parts:
            report.add(part.filename, "differs from what the journal recorded")
        return
    known = {part.filename for part in Part}
    for name, record in manifest.files.items():
        if name not in known:
            report.add(MANIFEST, f"names {name[:80]!r}, which is no part of an archive")
            continue
        size, digest = _hash_file(path / name)
        report.files += 1
        report.bytes += size
        if size != record.bytes:
            report.add(name, f"has {size} bytes; the manifest says {record.bytes}")
        elif digest != record.sha256:
            report.add(name, "has another SHA-256 than the manifest says")
    for part in OBJECT_PARTS:
        if part.filename not in manifest.files and (path / part.filename).exists() and _is_used(path / part.filename):
            report.add(part.filename, "has lines, and the manifest does not name it")
    try:
        for _ in read_records(path / JOURNAL):
            pass
    except ArchiveError as error:
        report.add(JOURNAL, error.message)


def _is_used(file: Path) -> bool:
    return file.stat().st_size > 0


def _iterate_lines(path: Path, part: Part, report: VerificationReport) -> Iterator[tuple[int, JsonObject]]:
    file = path / part.filename
    if file.is_symlink() or not file.is_file():
        return
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                value: object = orjson.loads(line)
            except orjson.JSONDecodeError:
                value = None
            if is_json_object(value):
                yield number, value
            else:
                report.add(part.filename, f"line {number} is not a JSON object")


#: The parts that an object of a part must refer to, and the field.
_REFERENCES: Final = {
    Part.MESSAGES: (("thread_id", Part.THREADS),),
    Part.RUNS: (("thread_id", Part.THREADS),),
    Part.STEPS: (("thread_id", Part.THREADS), ("run_id", Part.RUNS)),
    Part.VECTOR_STORE_FILES: (("vector_store_id", Part.VECTOR_STORES),),
    Part.PROVENANCE: (("id", Part.THREADS),),
}

#: Objects whose id may occur again: a file of two vector stores, a thread of its provenance.
_SHARED_IDS: Final = frozenset({Part.VECTOR_STORE_FILES, Part.PROVENANCE})


def _check_object(
    path: Path, part: Part, number: int, body: JsonObject, ids: dict[Part, set[int]], report: VerificationReport
) -> None:
    object_id = body.get("id")
    if not isinstance(object_id, str) or not object_id:
        report.add(part.filename, f"line {number} has no id")
        return
    key = hash(object_id)
    if key in ids[part] and part not in _SHARED_IDS:
        report.add(part.filename, f"line {number} has the id {object_id[:80]}, which an earlier line has")
    ids[part].add(key)
    for name, other in _REFERENCES.get(part, ()):
        target = body.get(name)
        if isinstance(target, str) and hash(target) not in ids[other]:
            report.add(part.filename, f"line {number} refers to {target[:80]}, which is not in {other.filename}")
    if part is Part.CONTENTS:
        _check_content(path, number, body, report)


def _check_content(path: Path, number: int, record: JsonObject, report: VerificationReport) -> None:
    name = record.get("path")
    if name is None:
        return  # the source refused the content
    if not isinstance(name, str) or not is_content_path(name):
        report.add(Part.CONTENTS.filename, f"line {number} has a path that leads out of {CONTENTS_FOLDER}/")
        return
    size, digest = _hash_file(path / name)
    report.files += 1
    report.bytes += size
    if size != record.get("bytes"):
        report.add(name, f"has {size} bytes; {Part.CONTENTS.filename} says {record.get('bytes')}")
    elif digest != record.get("sha256"):
        report.add(name, f"has another SHA-256 than {Part.CONTENTS.filename} says")


def _hash_file(file: Path) -> tuple[int, str]:
    """The size and the SHA-256 of a file; those of an empty one if it is missing or a symbolic link."""
    digest, size = hashlib.sha256(), 0
    if file.is_file() and not file.is_symlink():
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK_BYTES):
                digest.update(chunk)
                size += len(chunk)
    return size, digest.hexdigest()
