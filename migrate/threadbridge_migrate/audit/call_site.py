"""What an audit reports of a code base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Literal

from threadbridge.translation.models.listing import ModelRow

#: A way to reach ThreadBridge that serves a call site unchanged (README, "Ways to use it").
Door = Literal["openai_client", "wrap", "gateway"]


class Effort(IntEnum):
    """How much of a file has to change; of several efforts the largest counts."""

    #: Nothing calls the API.
    NONE = 0
    #: Only where the client is created, or its base URL.
    ONE_LINE = 1
    #: The same, and caveats that a person should read.
    REVIEW = 2
    #: Code has to change: version 1 of the API, or calls that no door serves.
    REWORK = 3

    @property
    def label(self) -> str:
        """The name in reports."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where something is in a file; lines and columns count from 1, columns in characters."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class ModelUse:
    """A model that the code names."""

    position: Position
    row: ModelRow


@dataclass(frozen=True, slots=True)
class CaveatUse:
    """Where the caveat with this id (`caveats.CAVEATS`) applies."""

    caveat: str
    position: Position
    #: What was found there.
    text: str


@dataclass(frozen=True, slots=True)
class CallSite:
    """One use of the API."""

    #: The names of the operations that it may be (`wire.routes.OPERATIONS`); of a raw request whose method is not
    #: known there are several. Empty: a method or a path that the API does not have.
    operations: tuple[str, ...]
    position: Position
    #: The source text, shortened.
    text: str
    #: The SDK or the framework; "http" for raw requests.
    client: str
    doors: tuple[Door, ...] = ()
    #: The last line of the call.
    end_line: int = 0

    @property
    def kind(self) -> str:
        """The operations as one word; `framework` for a class that calls several, `unknown` for what no door serves."""
        return " or ".join(self.operations) or ("framework" if self.doors else "unknown")


@dataclass(slots=True)
class FileReport:
    """What one file contains."""

    path: str
    language: str
    call_sites: list[CallSite] = field(default_factory=list[CallSite])
    models: list[ModelUse] = field(default_factory=list[ModelUse])
    caveats: list[CaveatUse] = field(default_factory=list[CaveatUse])
    effort: Effort = Effort.NONE


@dataclass(frozen=True, slots=True)
class SkippedFile:
    """A file that was not read, or only in part, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class AuditReport:
    """The result of an audit."""

    root: str
    files: list[FileReport] = field(default_factory=list[FileReport])
    #: Calls with the form of the API in code that uses no OpenAI client; no call sites.
    unrelated: list[tuple[str, Position, str]] = field(default_factory=list[tuple[str, Position, str]])
    skipped: list[SkippedFile] = field(default_factory=list[SkippedFile])
    scanned_files: int = 0
    scanned_lines: int = 0

    @property
    def call_sites(self) -> int:
        """The number of call sites."""
        return sum(len(file.call_sites) for file in self.files)

    @property
    def effort(self) -> Effort:
        """The largest effort of a file."""
        return max((file.effort for file in self.files), default=Effort.NONE)


def list_models(files: Sequence[FileReport]) -> list[ModelRow]:
    """Each model once, in the order of the days on which they end."""
    rows = {use.row.model: use.row for file in files for use in file.models}
    return sorted(rows.values(), key=lambda row: (row.shutdown_date is None, row.shutdown_date, row.model))
