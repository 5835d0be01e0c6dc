"""Files that code created: rows of the store, because the upstream deletes them with their container (A85, §12)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from threadbridge.ports import Blob, ObjectKind, Session, Wire
from threadbridge.service import blob_references
from threadbridge.service.context import ServiceContext
from threadbridge.service.object_factory import build_deletion_status
from threadbridge.translation.produced_files import ProducedFile


class PersistedFile(NamedTuple):
    """A file of a turn whose contents are in the blob store."""

    file: ProducedFile
    blob: Blob


def add_files(session: Session, context: ServiceContext, files: Sequence[PersistedFile]) -> frozenset[str]:
    """Make the files of a turn visible. Returns the ids of those whose contents are in the blob store."""
    claimed_blobs = blob_references.claim_blobs(session, (persisted.blob.name for persisted in files))
    visible = [persisted for persisted in files if persisted.blob.name in claimed_blobs]
    for persisted in visible:
        session.add(ObjectKind.FILE, _build_row(persisted, context.unix_seconds))
    return frozenset(persisted.file.file_id for persisted in visible)


def _build_row(persisted: PersistedFile, created_at: int) -> Wire:
    file_object = {
        "object": "file",
        "id": persisted.file.file_id,
        "purpose": "assistants_output",
        "filename": persisted.file.filename,
        "bytes": persisted.blob.size,
        "created_at": created_at,
        "expires_at": None,
        "status": "processed",
        "status_details": None,
    }
    return {"id": persisted.file.file_id, "created_at": created_at, "blob": persisted.blob.name, "file": file_object}


def retrieve(session: Session, file_id: str) -> Wire | None:
    """The file object; None for a file that is not in the store."""
    row = session.get(ObjectKind.FILE, file_id)
    return None if row is None else row["file"]


def get_blob_name(session: Session, file_id: str) -> str | None:
    """The name of the file's blob; None for a file that is not in the store."""
    row = session.get(ObjectKind.FILE, file_id)
    return None if row is None else row["blob"]


def delete(session: Session, context: ServiceContext, file_id: str) -> Wire | None:
    """Delete the file and schedule the removal of its blob; None for a file that is not in the store."""
    blob = get_blob_name(session, file_id)
    if blob is None:
        return None
    session.remove(ObjectKind.FILE, file_id)
    blob_references.release_blob(session, context, blob)
    return {**build_deletion_status("file", file_id), "object": "file"}
