"""Files that code made: rows of ours, for the service behind forgets them with their container (A85, §12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from threadbridge.ports import Blob, Kind, Session, Wire
from threadbridge.service import blob_references
from threadbridge.service.context import Context
from threadbridge.service.object_factory import deleted
from threadbridge.translation.produced_files import ProducedFile


class KeptFile(NamedTuple):
    """A file of a turn whose contents are kept."""

    file: ProducedFile
    blob: Blob


def add(session: Session, context: Context, files: Sequence[KeptFile]) -> frozenset[str]:
    """Make the files of a turn visible. The ids of those whose contents are there."""
    there = blob_references.still_there(session, (kept.blob.name for kept in files))
    visible = [kept for kept in files if kept.blob.name in there]
    for kept in visible:
        session.add(Kind.FILE, _row(kept, context.second))
    return frozenset(kept.file.file_id for kept in visible)


def _row(kept: KeptFile, created_at: int) -> Wire:
    file_object = {
        "object": "file",
        "id": kept.file.file_id,
        "purpose": "assistants_output",
        "filename": kept.file.filename,
        "bytes": kept.blob.size,
        "created_at": created_at,
        "expires_at": None,
        "status": "processed",
        "status_details": None,
    }
    return {"id": kept.file.file_id, "created_at": created_at, "blob": kept.blob.name, "file": file_object}


def retrieve(session: Session, file_id: str) -> Wire | None:
    """The file object, or None: it is not one of ours."""
    row = session.get(Kind.FILE, file_id)
    return None if row is None else row["file"]


def blob_of(session: Session, file_id: str) -> str | None:
    """The name of the file's contents, or None."""
    row = session.get(Kind.FILE, file_id)
    return None if row is None else row["blob"]


def delete(session: Session, context: Context, file_id: str) -> Wire | None:
    """The file is gone, and its contents soon; None where it is not one of ours."""
    blob = blob_of(session, file_id)
    if blob is None:
        return None
    session.remove(Kind.FILE, file_id)
    blob_references.unnamed(session, context, blob)
    return {**deleted("file", file_id), "object": "file"}
