"""Imports of dumps with the real command, and what their archives contain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import orjson
from typer.testing import CliRunner

from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.reader import Archive, Part
from threadbridge_migrate.cli.application import app


class Imported(NamedTuple):
    """The outcome of a command and its archive."""

    exit_code: int
    stderr: str
    report: JsonObject
    archive: Path

    def read(self, part: Part) -> list[JsonObject]:
        return list(Archive.open(self.archive).read_part(part))

    def ids(self, part: Part) -> list[str]:
        return [each["id"] for each in self.read(part)]

    @property
    def texts(self) -> list[tuple[str, str]]:
        """Role and text of all messages in the order of the archive."""
        return [(each["role"], get_text(each)) for each in self.read(Part.MESSAGES)]

    @property
    def provenance(self) -> JsonObject:
        """That of the only thread."""
        (only,) = self.read(Part.PROVENANCE)
        return only


def get_text(message: JsonObject) -> str:
    return "".join(part["text"]["value"] for part in message["content"] if part["type"] == "text")


def import_files(folder: Path, *words: str | Path) -> Imported:
    """Run `migrate import-dump` with these words."""
    archive = folder / "archive"
    result = CliRunner().invoke(app, ["import-dump", *map(str, words), "--out", str(archive), "--json"])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    report: JsonObject = orjson.loads(result.stdout) if result.stdout else {}
    return Imported(result.exit_code, result.stderr, report, archive)


def import_content(folder: Path, content: Any, *words: str, name: str = "dump") -> Imported:
    """Import one file: of these bytes, of this text, or of this value as JSON."""
    encoded = content.encode() if isinstance(content, str) else content
    (folder / name).write_bytes(encoded if isinstance(encoded, bytes) else orjson.dumps(encoded))
    return import_files(folder, folder / name, *words)


def make_lines(*values: object) -> bytes:
    return b"".join(orjson.dumps(value) + b"\n" for value in values)


def make_message(message_id: str, text: str, created_at: int, *, role: str = "user", **fields: Any) -> JsonObject:
    """A message as the API sends it."""
    return {
        "id": message_id,
        "object": "thread.message",
        "created_at": created_at,
        "assistant_id": "asst_a" if role == "assistant" else None,
        "thread_id": "thread_a",
        "run_id": "run_a" if role == "assistant" else None,
        "role": role,
        "content": [{"type": "text", "text": {"value": text, "annotations": []}}],
        "attachments": [],
        "metadata": {},
        **fields,
    }
