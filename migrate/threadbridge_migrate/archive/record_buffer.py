"""Buffers the archive lines of one subject until it is complete."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from tempfile import SpooledTemporaryFile
from typing import Protocol, Self

import orjson

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge_migrate.archive.journal import JournalEntry, Subject, SubjectOutcome
from threadbridge_migrate.archive.reader import OBJECT_PARTS, Part

#: Bytes of one part of one buffer in memory; a longer part is spooled to a temporary file.
SPOOL_BYTES = 128 * 1024


class SupportsWrite(Protocol):
    """A file that bytes can be appended to."""

    def write(self, content: bytes, /) -> int: ...


class RecordBuffer:
    """The lines of one subject, written all at once or not at all. Close it after writing or discarding."""

    def __init__(self, subject: Subject, object_id: str) -> None:
        self.subject: Subject = subject
        self.id = object_id
        self.outcome: SubjectOutcome = "exported"
        self._error: JsonObject | None = None
        self._counts: Counter[str] = Counter()
        self._spools: dict[Part, SpooledTemporaryFile[bytes]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the memory and temporary files of the lines."""
        for spool in self._spools.values():
            spool.close()
        self._spools.clear()

    def add(self, part: Part, objects: Iterable[JsonMapping]) -> None:
        """Append objects to a part."""
        spool = self._spools.get(part)
        if spool is None:
            spool = self._spools[part] = SpooledTemporaryFile(max_size=SPOOL_BYTES)  # noqa: SIM115 - closed by close()
        for each in objects:
            try:
                line = orjson.dumps(each)
            except orjson.JSONEncodeError as exc:
                raise UpstreamError("The source sent an object that is nested too deeply to be stored.") from exc
            spool.write(line + b"\n")
            self._counts[part.value] += 1

    def absorb(self, other: RecordBuffer) -> None:
        """Take over the lines of another buffer, of parts that this one does not have."""
        self._spools |= other._spools
        self._counts += other._counts
        other._spools = {}

    def discard(self, outcome: SubjectOutcome, error: BridgeError) -> None:
        """Drop the lines and record the error of the subject."""
        self.close()
        self._counts.clear()
        self.outcome = outcome
        self._error = {
            "kind": self.subject,
            "id": self.id,
            "status": error.status,
            "type": error.type,
            "param": error.param,
            "code": error.code,
            "message": error.message,
            "request_id": error.request_id,
        }

    @property
    def error_message(self) -> str | None:
        """The reason of a failure in one sentence, or None."""
        return None if self._error is None else str(self._error["message"])

    def to_journal_entry(self) -> JournalEntry:
        """The journal entry of the subject."""
        return JournalEntry(self.subject, self.id, self.outcome, dict(self._counts), self._error)

    def copy_to(self, files: Mapping[Part, SupportsWrite]) -> None:
        """Append the lines to the files of their parts."""
        for part in OBJECT_PARTS:
            if spool := self._spools.get(part):
                spool.seek(0)
                shutil.copyfileobj(spool, files[part])
