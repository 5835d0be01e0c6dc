"""The writer's log: which subject (a thread or an assistant) was finished how, and how long the files then were.

A line is written only after the lines it speaks of are on disk. So whatever kills the process, the last whole line of
the journal tells where every file ends; what lies beyond was never promised and is cut off.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from threadbridge.ports import Wire
from threadbridge_migrate.errors import ArchiveError

JOURNAL = "journal.jsonl"

Subject = Literal["thread", "assistant"]

#: `missing`: the source says that it no longer has it, and nothing else is wrong.
SubjectOutcome = Literal["exported", "failed", "missing"]


@dataclass(frozen=True, slots=True)
class JournalEntry:
    """How one subject ended: the lines it added per part, or the error that stood in the way."""

    subject: Subject
    id: str
    outcome: SubjectOutcome
    counts: Mapping[str, int] = field(default_factory=dict[str, int])
    error: Wire | None = None

    def to_line(self, sizes: Mapping[str, int]) -> bytes:
        """The journal's line, with the sizes of the files after it."""
        whole: dict[str, Any] = {"subject": self.subject, "id": self.id, "outcome": self.outcome}
        if self.counts:
            whole["counts"] = dict(self.counts)
        if self.error is not None:
            whole["error"] = self.error
        return orjson.dumps({**whole, "sizes": dict(sizes)}) + b"\n"


@dataclass(slots=True)
class ExportProgress:
    """Where an export stands: the sum of a journal's lines."""

    exported: dict[Subject, set[str]] = field(default_factory=lambda: {"thread": set[str](), "assistant": set[str]()})
    missing: dict[Subject, set[str]] = field(default_factory=lambda: {"thread": set[str](), "assistant": set[str]()})
    failed: dict[tuple[Subject, str], Wire] = field(default_factory=dict[tuple[Subject, str], Wire])
    counts: Counter[str] = field(default_factory=Counter[str])
    sizes: dict[str, int] = field(default_factory=dict[str, int])
    #: Bytes of the journal up to the end of its last whole line.
    journal_length: int = 0

    def add(self, entry: JournalEntry) -> None:
        """Take one more ending into account; the last word on a subject counts."""
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
        """Whether there is nothing left to do about it: it was exported, or is known to be gone."""
        return object_id in self.exported[subject] or object_id in self.missing[subject]


def replay_journal(journal: Path) -> ExportProgress:
    """The progress a journal tells of; an absent journal tells of none, a torn last line is as if never written."""
    progress = ExportProgress()
    if not journal.exists():
        return progress
    with journal.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                break
            entry, progress.sizes = _parse_line(line, journal)
            progress.add(entry)
            progress.journal_length += len(line)
    return progress


def _parse_line(line: bytes, journal: Path) -> tuple[JournalEntry, dict[str, int]]:
    try:
        record = orjson.loads(line)
        counts, error = record.get("counts", {}), record.get("error")
        return JournalEntry(record["subject"], record["id"], record["outcome"], counts, error), record["sizes"]
    except (orjson.JSONDecodeError, KeyError) as exc:
        raise ArchiveError(f"{journal} is damaged; what it logged can be read, but not added to.") from exc
