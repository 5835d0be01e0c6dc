"""An archive: a directory of JSON Lines that outlives the service its objects came from.

    manifest.json     format, version, state, source, options, counts, size and SHA-256 of every file
    assistants.jsonl  threads.jsonl  messages.jsonl  runs.jsonl  steps.jsonl
    vector_stores.jsonl  vector_store_files.jsonl  files.jsonl
    contents.jsonl    the bytes of files: id, path below the directory, bytes, sha256, content_type; or, without a path,
                      the error with which the source refused them
    contents/FILE_ID  the bytes themselves
    provenance.jsonl  of an archive made from other files: of each thread its id, `origin` (format, path, position),
                      `grade` (`full`, `messages`, `text`), and the kinds of values that were `derived` or are `missing`
    errors.jsonl      failed objects: kind, id, status, type, param, code, message, request_id
    journal.jsonl     the writer's log; needed to continue an export, not to read one
    *.damaged         copies of damaged files from before their repair

Each line is one object, with the fields and values the source sent. A thread's messages, its runs, and each run's
steps are adjacent, oldest first; threads are in the order in which they were finished.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.journal import JOURNAL, replay_journal
from threadbridge_migrate.errors import ArchiveError

FORMAT = "threadbridge-archive"

#: Incremented when an older reader could misinterpret the format. Version 1 had no files, contents or provenance; its
#: archives are read as they are, and get this version when an export extends them.
VERSION = 2

MANIFEST = "manifest.json"

#: The folder with the bytes of files.
CONTENTS_FOLDER: Final = "contents"

_CONTENT_PATH: Final = re.compile(r"contents/(?!\.)[^/\\\0]+")

#: The journal of a repair in progress. While it exists, the parts may belong to either journal.
REPAIRED_JOURNAL = f"{JOURNAL}.repaired"


def open_private(path: Path, mode: Literal["ab", "ab+", "wb", "xb"]) -> BinaryIO:
    """Open a file of an archive for writing. Conversations are readable by their owner only."""
    return open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))


def is_content_path(path: str) -> bool:
    """Whether a path of `contents.jsonl` is that of a file in the folder of contents."""
    return _CONTENT_PATH.fullmatch(path) is not None


class Part(StrEnum):
    """The files of an archive, one per kind of object."""

    ASSISTANTS = "assistants"
    THREADS = "threads"
    MESSAGES = "messages"
    RUNS = "runs"
    STEPS = "steps"
    VECTOR_STORES = "vector_stores"
    VECTOR_STORE_FILES = "vector_store_files"
    FILES = "files"
    CONTENTS = "contents"
    PROVENANCE = "provenance"
    ERRORS = "errors"

    @property
    def filename(self) -> str:
        """The file name in the directory."""
        return f"{self.value}.jsonl"


#: The parts with objects of the source; `errors` lists the objects that failed.
OBJECT_PARTS: tuple[Part, ...] = tuple(part for part in Part if part is not Part.ERRORS)

#: `exporting`: being written, or interrupted. `incomplete`: the last export finished with failed objects.
ArchiveState = Literal["exporting", "incomplete", "complete"]


class FileRecord(BaseModel):
    """The expected size and checksum of a file of the archive."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    sha256: str


class Manifest(BaseModel):
    """The description of an archive in its `manifest.json`."""

    model_config = ConfigDict(frozen=True, extra="allow")

    format: str = FORMAT
    version: int = VERSION
    state: ArchiveState = "exporting"
    written_by: str
    created_at: int
    updated_at: int
    #: The source of the objects, without secrets. An archive has one source.
    source: JsonObject
    options: JsonObject = Field(default_factory=dict)
    counts: dict[str, int] = Field(default_factory=dict)
    #: Assistants that runs or messages reference and that no longer exist at the source.
    missing_assistants: list[str] = Field(default_factory=list)
    files: dict[str, FileRecord] = Field(default_factory=dict)


class Archive:
    """Reads an archive, finished or not. In an unfinished one only complete threads are visible."""

    def __init__(self, path: Path, manifest: Manifest, sizes: Mapping[str, int]) -> None:
        self.path = path
        self.manifest = manifest
        self._sizes = sizes

    @classmethod
    def open(cls, path: Path | str) -> Archive:
        """The archive in a directory. Raises ArchiveError if there is none or its version is newer."""
        path = Path(path)
        manifest = read_manifest(path)
        if (path / REPAIRED_JOURNAL).exists():
            raise ArchiveError(f"The repair of {path} was interrupted; run its export again to finish it.")
        sizes = replay_journal(path / JOURNAL).sizes if manifest.state == "exporting" else {}
        if manifest.state != "exporting":
            sizes = {Path(name).stem: record.bytes for name, record in manifest.files.items()}
        return cls(path, manifest, sizes)

    def read_part(self, part: Part) -> Iterator[JsonObject]:
        """The objects of one part, one at a time, in the order of the file.

        Raises ArchiveError if the part is missing, too short, or has a line that is not JSON.
        """
        remaining_bytes = self._sizes.get(part.value, 0)
        if not remaining_bytes:
            return
        path = self.path / part.filename
        if not path.exists() or path.stat().st_size < remaining_bytes:
            raise ArchiveError(f"{path} is missing or too short; run the export again to fetch what it lost.")
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                remaining_bytes -= len(line)
                if remaining_bytes < 0:
                    return
                try:
                    yield orjson.loads(line)
                except orjson.JSONDecodeError as exc:
                    raise ArchiveError(f"{path}, line {number}, is not JSON.") from exc


def read_manifest(path: Path) -> Manifest:
    """The manifest of an archive. Raises ArchiveError if there is none that this version supports."""
    file = path / MANIFEST
    try:
        manifest = Manifest.model_validate_json(file.read_bytes())
    except FileNotFoundError as exc:
        raise ArchiveError(f"{path} is not an archive: it has no {MANIFEST}.") from exc
    except ValidationError as exc:
        raise ArchiveError(f"{file} is not a manifest: {exc.error_count()} fields are missing or wrong.") from exc
    if manifest.format != FORMAT:
        raise ArchiveError(f"{file} describes a {manifest.format!r}, not a {FORMAT!r}.")
    if manifest.version > VERSION:
        raise ArchiveError(
            f"{path} has archive version {manifest.version}, this program knows {VERSION}: please update ThreadBridge."
        )
    return manifest


def summarise(path: Path | str) -> str:
    """A summary as text: source, object counts and missing objects."""
    archive = Archive.open(path)
    manifest = archive.manifest
    source = ", ".join(f"{name} {value}" for name, value in manifest.source.items() if value is not None)
    lines = [f"Archive {archive.path} ({manifest.state}), from {source}"]
    parts = (part for part in Part if part is not Part.PROVENANCE or manifest.counts.get(part.value))
    lines += [f"  {part.value:<18}{manifest.counts.get(part.value, 0):>9}" for part in parts]
    if manifest.missing_assistants:
        lines.append(f"  no longer at the source: {', '.join(manifest.missing_assistants)}")
    return "\n".join(lines)
