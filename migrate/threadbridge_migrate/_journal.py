"""The writer's log: the outcome of each subject (a thread or an assistant), the sizes of the files after it, and the
SHA-256 of the bytes it added to each file.

A line is written only after the lines it describes are on disk. After a crash the last complete line of the journal
therefore has the size of every file; bytes beyond that size are truncated. Bytes before it must have the recorded
hashes (`_part_verification`). Journals of earlier versions have no hashes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

import orjson

from threadbridge.api_types import JsonObject
from threadbridge_migrate.errors import ArchiveError

JOURNAL = "journal.jsonl"

Subject = Literal["thread", "assistant"]

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

    exported: dict[Subject, set[str]] = field(default_factory=lambda: {"thread": set[str](), "assistant": set[str]()})
    missing: dict[Subject, set[str]] = field(default_factory=lambda: {"thread": set[str](), "assistant": set[str]()})
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
            try:
                record = orjson.loads(line)
                counts, error = record.get("counts", {}), record.get("error")
                entry = JournalEntry(record["subject"], record["id"], record["outcome"], counts, error)
                sizes = {part: int(size) for part, size in record["sizes"].items()}
                parsed = JournalRecord(entry, sizes, dict(record.get("sha256", {})), len(line))
            except (ValueError, KeyError, TypeError, AttributeError) as exc:
                raise ArchiveError(f"{journal} is damaged; the archive can be read but not extended.") from exc
            yield parsed
