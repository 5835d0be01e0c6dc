"""What an archive should hold."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import orjson

from tests.legacy_service import LegacyService
from threadbridge_migrate.archive.reader import OBJECT_PARTS, Archive, Part


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
    }
    return {part: sorted(orjson.dumps(each) for each in objects) for part, objects in parts.items()}


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
