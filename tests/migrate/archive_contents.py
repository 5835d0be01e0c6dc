"""What an archive should hold."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from tests.legacy_service import LegacyService
from threadbridge.api_types import JsonObject
from threadbridge_migrate.archive.reader import OBJECT_PARTS, Archive, Part

#: The counts of an archive whose threads reference no file.
NO_FILES = {"vector_stores": 0, "vector_store_files": 0, "files": 0, "contents": 0, "provenance": 0}


def collect_source_lines(service: LegacyService, ids: Iterable[str]) -> dict[str, list[bytes]]:
    """Every object of these threads as one line, sorted, per part."""
    thread_ids = list(ids)
    runs = [run for thread_id in thread_ids for run in service.runs[thread_id]]
    assistant_ids = {run["assistant_id"] for run in runs}
    parts: dict[str, list[dict[str, Any]]] = {
        "assistants": [service.assistants[each] for each in assistant_ids if each in service.assistants],
        "threads": [service.threads[thread_id] for thread_id in thread_ids],
        "messages": [message for thread_id in thread_ids for message in service.messages[thread_id]],
        "runs": runs,
        "steps": [step for run in runs for step in service.steps[run["id"]]],
        "vector_stores": [store for store, _ in service.vector_stores.values()],
        "vector_store_files": [file for _, files in service.vector_stores.values() for file in files],
        "files": [file for file, _ in service.files.values()],
        "contents": [make_content_record(file_id, content) for file_id, (_, content) in service.files.items()],
        "provenance": [],
    }
    return {part: sorted(orjson.dumps(each) for each in objects) for part, objects in parts.items()}


def make_content_record(file_id: str, content: bytes | None) -> JsonObject:
    """The record of a file's content, or of what the service said instead."""
    if content is None:
        message = "Not allowed to download files of purpose: assistants"
        error = {"status": 400, "code": None, "message": message}
        return {"id": file_id, "path": None, "bytes": 0, "sha256": None, "error": error}
    return {
        "id": file_id,
        "path": f"contents/{file_id}",
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "content_type": "application/octet-stream",
    }


def read_archive_lines(path: Path) -> dict[str, list[bytes]]:
    """The lines of an archive, sorted, per part; a line that stands twice stands here twice."""
    return {part.value: sorted((path / part.filename).read_bytes().splitlines()) for part in OBJECT_PARTS}


def read_errors(path: Path) -> list[dict[str, Any]]:
    """What `errors.jsonl` records."""
    return list(Archive.open(path).read_part(Part.ERRORS))


def load_manifest(path: Path) -> dict[str, Any]:
    """The manifest as it stands in the file."""
    parsed: dict[str, Any] = orjson.loads((path / "manifest.json").read_bytes())
    return parsed
