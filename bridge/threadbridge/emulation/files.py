"""Files that code made: rows of ours, for the service behind forgets them with their container (A85, §12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from threadbridge.emulation.objects import deleted
from threadbridge.ports import Blob, Kind, Session, Wire
from threadbridge.responses.files import ProducedFile


class KeptFile(NamedTuple):
    """A file of a turn whose contents are kept."""

    file: ProducedFile
    blob: Blob


def add(session: Session, files: Sequence[KeptFile], *, created_at: int) -> None:
    """Make the files of a turn visible."""
    for kept in files:
        session.add(Kind.FILE, _row(kept, created_at))


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


class Deletion(NamedTuple):
    """The answer, and the contents that nobody needs any more."""

    answer: Wire
    blob: str | None


def delete(session: Session, file_id: str) -> Deletion | None:
    """The file is gone; None where it is not one of ours."""
    blob = blob_of(session, file_id)
    if blob is None:
        return None
    session.remove(Kind.FILE, file_id)
    return Deletion({**deleted("file", file_id), "object": "file"}, None if session.uses_blob(blob) else blob)
