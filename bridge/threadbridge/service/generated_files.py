"""Files that code created: rows of the store, because the upstream deletes them with their container (A85, §12).

The blob of a file is either named by the file, or has a cleanup intent under its own name. The intent is written before
the blob is stored, cancelled by the transaction of the turn that names the blob, and written again when the last of its
files is deleted, since a turn with the same content may be about to name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple, TypedDict, cast

from threadbridge.api_types import DeletionStatus
from threadbridge.ports import Blob, ObjectKind, Session
from threadbridge.service import cleanup_intents
from threadbridge.service.cleanup_intents import CleanupIntent
from threadbridge.service.context import ServiceContext
from threadbridge.translation.produced_files import ProducedFile


class FileObject(TypedDict):
    """A generated file, as the API returns it."""

    object: Literal["file"]
    id: str
    purpose: str
    filename: str
    bytes: int
    created_at: int
    expires_at: int | None
    status: str
    status_details: str | None


class FileRow(TypedDict):
    """A generated file, as it is stored: with the name of its blob."""

    id: str
    created_at: int
    blob: str
    file: FileObject


class PersistedFile(NamedTuple):
    """A file of a turn whose contents are in the blob store."""

    file: ProducedFile
    blob: Blob


def add_files(session: Session, context: ServiceContext, files: Sequence[PersistedFile]) -> frozenset[str]:
    """Make the files of a turn visible. Returns the ids of those whose contents are in the blob store."""
    claimed_blobs = claim_blobs(session, (persisted.blob.name for persisted in files))
    visible = [persisted for persisted in files if persisted.blob.name in claimed_blobs]
    for file, blob in visible:
        file_object: FileObject = {
            "object": "file",
            "id": file.file_id,
            "purpose": "assistants_output",
            "filename": file.filename,
            "bytes": blob.size,
            "created_at": context.unix_seconds,
            "expires_at": None,
            "status": "processed",
            "status_details": None,
        }
        row: FileRow = {
            "id": file.file_id,
            "created_at": context.unix_seconds,
            "blob": blob.name,
            "file": file_object,
        }
        session.add(ObjectKind.FILE, row)
    return frozenset(persisted.file.file_id for persisted in visible)


def get_row(session: Session, file_id: str) -> FileRow | None:
    """The row of the file; None for a file that is not in the store."""
    return cast("FileRow | None", session.get(ObjectKind.FILE, file_id))


def retrieve(session: Session, file_id: str) -> FileObject | None:
    """The file object; None for a file that is not in the store."""
    row = get_row(session, file_id)
    return None if row is None else row["file"]


def get_blob_name(session: Session, file_id: str) -> str | None:
    """The name of the file's blob; None for a file that is not in the store."""
    row = get_row(session, file_id)
    return None if row is None else row["blob"]


def delete(session: Session, context: ServiceContext, file_id: str) -> DeletionStatus | None:
    """Delete the file, and record a cleanup intent for its blob unless another file has it.

    None for a file that is not in the store.
    """
    blob = get_blob_name(session, file_id)
    if blob is None:
        return None
    session.remove(ObjectKind.FILE, file_id)
    if not session.is_blob_referenced(blob):
        cleanup_intents.record_intent(session, _build_cleanup_intent(context, blob))
    return {"id": file_id, "object": "file", "deleted": True}


def reserve_blob_name(session: Session, context: ServiceContext, digest: str, *, suffix: str) -> str:
    """The blob name for a content: that of a file of the tenant with the same content, otherwise a name that the
    turn's suffix makes unique.
    """
    name = session.find_blob_name(digest) or f"{digest}-{suffix}"
    cleanup_intents.record_intent(session, _build_cleanup_intent(context, name))
    return name


def claim_blobs(session: Session, names: Iterable[str]) -> frozenset[str]:
    """The blobs that the caller may name in this transaction.

    The cleanup of the others has started, because their process stopped for too long.
    """

    def claim(name: str) -> bool:
        if cleanup_intents.cancel_intent(session, name):
            return True
        return session.get(ObjectKind.CLEANUP_INTENT, name) is None and session.is_blob_referenced(name)

    return frozenset(filter(claim, set(names)))


def start_blob_cleanup(session: Session, name: str) -> bool:
    """Whether the blob can be removed: no file has it, and from now on none will."""
    if session.is_blob_referenced(name):
        session.remove(ObjectKind.CLEANUP_INTENT, name)
        return False
    return cleanup_intents.start_cleanup(session, name) is not None


def _build_cleanup_intent(context: ServiceContext, name: str) -> CleanupIntent:
    return {"id": name, "created_at": context.unix_seconds, "blob": name}
