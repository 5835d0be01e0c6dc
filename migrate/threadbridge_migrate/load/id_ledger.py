"""The ids of files and vector stores that a load uploaded again, by their old ids, in a file next to the archive.

`ARCHIVE.ledger.jsonl` has one line an object: {"kind", "old", "new", "destination"}; kinds are `file`, `vector_store`,
and `filled_vector_store` once its files are in it. A line is on disk before a row of the store names the new id, so
that a load that was killed uploads nothing twice whose line it had written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias, cast

import orjson

from threadbridge.api_types import JsonObject, is_json_list, is_json_object
from threadbridge_migrate.archive.reader import open_private
from threadbridge_migrate.errors import ArchiveError

#: New ids by old ones.
IdMapping: TypeAlias = Mapping[str, str]


def get_ledger_path(archive: Path) -> Path:
    """The file of the ledger of an archive."""
    return archive.with_name(f"{archive.resolve().name}.ledger.jsonl")


def read_ledger(path: Path, *, destination: str | None = None, kind: str | None = None) -> dict[str, str]:
    """The mapping that a ledger records, of one destination or of all, of one kind or of all; empty without a ledger.

    A torn last line is ignored. Raises ArchiveError for a file that is not a ledger.
    """
    mapping: dict[str, str] = {}
    if not path.exists():
        return mapping
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.endswith(b"\n"):
                break
            try:
                record: object = orjson.loads(line)
            except orjson.JSONDecodeError:
                record = None
            if not is_json_object(record) or not {"old", "new"} <= record.keys():
                raise ArchiveError(f"{path}, line {number}, is not a line of a ledger; move the file away to go on.")
            if destination in (None, record.get("destination")) and kind in (None, record.get("kind")):
                mapping[str(record["old"])] = str(record["new"])
    return mapping


def append_to_ledger(path: Path, *, kind: str, old: str, new: str, destination: str) -> None:
    """Add a line; it is on disk when this returns. Raises OSError."""
    with open_private(path, "ab") as file:
        file.write(orjson.dumps({"kind": kind, "old": old, "new": new, "destination": destination}) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def map_ids(body: JsonObject, ids: IdMapping) -> JsonObject:
    """The object with new ids wherever a value is an old one: in citations, attachments, tool resources and images.

    Metadata are the user's own and stay.
    """
    return cast("JsonObject", _map_value(body, ids)) if ids else body


def _map_value(value: object, ids: IdMapping) -> object:
    if isinstance(value, str):
        return ids.get(value, value)
    if is_json_object(value):
        return {name: each if name == "metadata" else _map_value(each, ids) for name, each in value.items()}
    return [_map_value(each, ids) for each in value] if is_json_list(value) else value
