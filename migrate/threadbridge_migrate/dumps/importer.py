"""Imports dumps: reads all files, then writes the threads to an archive."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from threadbridge.api_types import JsonObject
from threadbridge.errors import BridgeError
from threadbridge_migrate.archive.journal import Subject
from threadbridge_migrate.archive.reader import Part
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.archive.writer import ArchiveWriter
from threadbridge_migrate.dumps.dump_files import UnreadableFile, compute_digest, iterate_files
from threadbridge_migrate.dumps.formats import FORMATS, read_file
from threadbridge_migrate.dumps.object_collection import (
    CollectedKind,
    CollectedThread,
    ObjectCollection,
    Origin,
    Problem,
)
from threadbridge_migrate.errors import ArchiveError

#: Threads that are written before their files are flushed to the disk.
_THREADS_PER_COMMIT: Final = 200

#: The parts and subjects of objects that belong to no thread.
_OTHER_KINDS: Final[Sequence[tuple[CollectedKind, Part, Subject]]] = (
    ("assistant", Part.ASSISTANTS, "assistant"),
    ("vector_store", Part.VECTOR_STORES, "vector_store"),
    ("file", Part.FILES, "file"),
)


@dataclass(slots=True)
class ImportReport:
    """What was found in a dump."""

    #: Files by the format that they were recognised as.
    files: Counter[str] = field(default_factory=Counter[str])
    #: Threads by grade.
    grades: Counter[str] = field(default_factory=Counter[str])
    #: Threads by what is missing of them, or was derived.
    missing: Counter[str] = field(default_factory=Counter[str])
    derived: Counter[str] = field(default_factory=Counter[str])
    messages: int = 0
    runs: int = 0
    assistants: int = 0
    #: Threads that the archive had already.
    known: int = 0
    problems: list[Problem] = field(default_factory=list[Problem])

    def as_json(self) -> JsonObject:
        """The report for programs."""
        return {
            "files": dict(self.files),
            "grades": dict(self.grades),
            "missing": dict(self.missing),
            "derived": dict(self.derived),
            "messages": self.messages,
            "runs": self.runs,
            "assistants": self.assistants,
            "known": self.known,
            "problems": [
                {"path": each.origin.path, "position": each.origin.position, "reason": each.reason}
                for each in self.problems
            ],
        }


def import_dump(paths: Sequence[Path], out: Path | None, mapping: Mapping[str, str]) -> ImportReport:
    """Write what the files hold to the archive; without `out` only report it.

    Raises ArchiveError if nothing was recognised, UsageError for a path that does not exist. Nothing is written then.
    """
    report, digest = ImportReport(), hashlib.sha256()
    with ObjectCollection() as collection:
        for file in iterate_files(paths):
            if isinstance(file, UnreadableFile):
                collection.add_problem(Origin("", file.label, ""), file.reason)
                continue
            try:
                digest.update(compute_digest(file))
                name = read_file(file, collection, mapping)
            except ArchiveError as error:
                collection.add_problem(Origin("", file.label, ""), error.message)
                continue
            report.files[name or "not recognised"] += 1
            if name is None:
                collection.add_problem(Origin("", file.label, ""), "No format that an import knows was recognised.")
        collection.place_steps()
        report.problems = collection.problems
        if not collection.formats:
            raise ArchiveError(_describe_failure(report))
        if out is None:
            for thread in collection.iterate_threads():
                _count(report, thread)
            report.assistants = sum(1 for _ in collection.iterate_objects("assistant"))
            return report
        # A dump that has changed is another source: its threads may have grown, and an archive adds whole threads only.
        names = ", ".join(sorted({path.name for path in paths}))
        source = {"backend": "dump", "paths": names, "sha256": digest.hexdigest()}
        with ArchiveWriter(out, source=source, options={"map": dict(mapping)}) as writer:
            _write(collection, writer, report)
            writer.finish()
    return report


def _describe_failure(report: ImportReport) -> str:
    first = next(iter(report.problems), None)
    seen = f" ({first.origin.path}: {first.reason})" if first else ""
    formats = ", ".join(each.name for each in FORMATS)
    return (
        f"Nothing was recognised{seen}. An import knows {formats}; for other column names use "
        "--map thread_id=COLUMN,role=COLUMN,content=COLUMN."
    )


def _write(collection: ObjectCollection, writer: ArchiveWriter, report: ImportReport) -> None:
    for kind, part, subject in _OTHER_KINDS:
        buffers: list[RecordBuffer] = []
        for body in collection.iterate_objects(kind):
            report.assistants += kind == "assistant"
            if not writer.progress.is_finished(subject, body["id"]):
                buffer = RecordBuffer(subject, body["id"])
                buffer.add(part, [body])
                buffers.append(buffer)
        _commit(writer, buffers)
    buffers = []
    for thread in collection.iterate_threads():
        thread_id: str = thread.thread["id"]
        _count(report, thread)
        if writer.progress.is_finished("thread", thread_id):
            report.known += 1
            continue
        buffer = RecordBuffer("thread", thread_id)
        buffer.add(Part.THREADS, [thread.thread])
        buffer.add(Part.MESSAGES, thread.messages)
        buffer.add(Part.RUNS, thread.runs)
        buffer.add(Part.STEPS, thread.steps)
        buffer.add(Part.PROVENANCE, [thread.provenance])
        buffers.append(buffer)
        if len(buffers) >= _THREADS_PER_COMMIT:
            _commit(writer, buffers)
            buffers = []
    for number, problem in enumerate(report.problems):
        buffer = RecordBuffer("dump", f"{problem.origin.path}:{problem.origin.position or number}")
        buffer.discard("failed", BridgeError(problem.reason))
        buffers.append(buffer)
    _commit(writer, buffers)


def _commit(writer: ArchiveWriter, buffers: Sequence[RecordBuffer]) -> None:
    if buffers:
        writer.commit(buffers)
    for buffer in buffers:
        buffer.close()


def _count(report: ImportReport, thread: CollectedThread) -> None:
    report.grades[thread.provenance["grade"]] += 1
    report.missing.update(thread.provenance["missing"])
    report.derived.update(thread.provenance["derived"])
    report.messages += len(thread.messages)
    report.runs += len(thread.runs)
