"""The writer's log: the outcome of each subject, the sizes of the files after it, and the SHA-256 of the bytes it added
to each file. Subjects are threads and assistants, and what could not be read of a thread: its runs, or a run's steps.

A line is written only after the lines it describes are on disk. After a crash the last complete line of the journal
therefore has the size of every file; bytes beyond that size are truncated. Bytes before it must have the recorded
hashes (`part_verification`). Journals of earlier versions have no hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple, TypeGuard, cast, get_args

import orjson

from threadbridge.api_types import JsonObject, is_json_object
from threadbridge_migrate.errors import ArchiveError

JOURNAL = "journal.jsonl"

#: The id of `runs` is that of their thread, the id of `steps` that of their thread and run (`build_steps_id`). `dump`
#: is an item of an imported file; its id is the path of the file and the position in it.
Subject = Literal["thread", "assistant", "runs", "steps", "vector_store", "file", "dump"]

#: `missing`: the source responds that the object no longer exists.
SubjectOutcome = Literal["exported", "failed", "missing"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """The outcome of one subject: the number of lines added per part, or the error."""

    subject: Subject
    id: str
    outcome: SubjectOutcome
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    error: JsonObject | None = None

    def to_line(self, sizes: Mapping[str, int], hashes: Mapping[str, str]) -> bytes:
        """The journal's line, with the sizes of the files after it and the SHA-256 of what it added to each file."""
        whole: JsonObject = {"subject": self.subject, "id": self.id, "outcome": self.outcome}
        if self.counts:
            whole["counts"] = dict(self.counts)
        if self.error is not None:
            whole["error"] = self.error
        return orjson.dumps({**whole, "sizes": dict(sizes), "sha256": dict(hashes)}) + b"\n"


class JournalRecord(NamedTuple):
    """One line of a journal: the entry, the sizes of the files after it, and the hashes of the added bytes, if any."""

    entry: JournalEntry
    sizes: dict[str, int]
    hashes: dict[str, str]
    #: Bytes of the line.
    length: int


@dataclass(slots=True)
class ExportProgress:
    """The state of an export, accumulated from the journal's lines."""

    exported: dict[Subject, set[str]] = field(default_factory=lambda: _make_id_sets())
    missing: dict[Subject, set[str]] = field(default_factory=lambda: _make_id_sets())
    failed: dict[tuple[Subject, str], JsonObject] = field(default_factory=dict[tuple[Subject, str], JsonObject])
    counts: Counter[str] = field(default_factory=Counter[str])
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    #: Bytes of the journal up to the end of its last complete line.
    journal_length: int = 0

    def add(self, entry: JournalEntry) -> None:
        """Add one entry; the last entry of a subject replaces earlier ones."""
        self.failed.pop((entry.subject, entry.id), None)
        self.missing[entry.subject].discard(entry.id)
        match entry.outcome:
            case "exported":
                self.exported[entry.subject].add(entry.id)
            case "missing":
                self.missing[entry.subject].add(entry.id)
            case "failed":
                self.failed[entry.subject, entry.id] = entry.error or {}
        self.counts.update(entry.counts)

    def is_finished(self, subject: Subject, object_id: str) -> bool:
        """Whether the subject was exported or is missing at the source."""
        return object_id in self.exported[subject] or object_id in self.missing[subject]


def _make_id_sets() -> dict[Subject, set[str]]:
    return {subject: set() for subject in get_args(Subject)}


def build_steps_id(thread_id: str, run_id: str) -> str:
    """The id of the steps of a run as a subject."""
    return f"{thread_id}/{run_id}"


def replay_journal(journal: Path) -> ExportProgress:
    """The progress that a journal records; none if it does not exist. A torn last line is ignored."""
    progress = ExportProgress()
    for record in read_records(journal):
        progress.add(record.entry)
        progress.sizes = record.sizes
        progress.journal_length += record.length
    return progress


def read_records(journal: Path) -> Iterator[JournalRecord]:
    """The whole lines of a journal; none if it does not exist. Raises ArchiveError for a line that is not a record."""
    if not journal.exists():
        return
    with journal.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            record = _parse_line(line)
            if record is None:
                raise ArchiveError(f"{journal} is damaged; the archive can be read but not extended.")
            yield record


def _parse_line(line: bytes) -> JournalRecord | None:
    """The record in a line of any shape; None for one that no export wrote."""
    try:
        record: object = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not is_json_object(record):
        return None
    subject, object_id, outcome = record.get("subject"), record.get("id"), record.get("outcome")
    counts, sizes = record.get("counts", {}), record.get("sizes")
    error, hashes = record.get("error"), record.get("sha256", {})
    if (
        subject not in get_args(Subject)
        or not isinstance(object_id, str)
        or outcome not in get_args(SubjectOutcome)
        or not _is_count_mapping(counts)
        or not _is_count_mapping(sizes)
        or not (error is None or is_json_object(error))
        or not (is_json_object(hashes) and all(isinstance(each, str) for each in hashes.values()))
    ):
        return None
    entry = JournalEntry(cast("Subject", subject), object_id, cast("SubjectOutcome", outcome), counts, error)
    return JournalRecord(entry, sizes, hashes, len(line))


def _is_count_mapping(value: object) -> TypeGuard[dict[str, int]]:
    return is_json_object(value) and all(type(each) is int and each >= 0 for each in value.values())
