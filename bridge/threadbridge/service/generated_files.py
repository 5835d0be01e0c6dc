"""Generated files: rows of the store, because the upstream deletes them with their container (A85, §12), and lists.

The blob of a file is either named by the file, or has a cleanup intent under its own name. The intent is written before
the blob is stored, cancelled by the transaction of the turn that names the blob, and written again when the last of its
files is deleted, since a turn with the same content may be about to name it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypedDict, cast

from threadbridge.api_types import DeletionStatus, ListObject
from threadbridge.ports import Blob, ObjectKind, Page, Session
from threadbridge.service import cleanup_intents
from threadbridge.service.cleanup_intents import CleanupIntent
from threadbridge.service.context import ServiceContext
from threadbridge.service.object_factory import build_list_object
from threadbridge.translation.generated_files import GeneratedFile


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

    file: GeneratedFile
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


#: The largest and the default page size of files; other lists have at most 100 (A11).
MAX_PAGE_SIZE = 10_000
#: Values of `purpose` that select files of the store.
_PURPOSES = (None, "assistants_output")


@dataclass(frozen=True, slots=True)
class FileQuery:
    """The query of a file list."""

    limit: int = MAX_PAGE_SIZE
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """The store's files for the page, at most its limit. `cursor_is_own`: the cursor names one of the store's files."""

    page: Page[FileObject]
    cursor_is_own: bool


@dataclass(frozen=True, slots=True)
class UpstreamFilesQuery:
    """The part of a page that comes from the upstream: `limit` of its files after this cursor."""

    limit: int
    after: str | None


def parse_file_query(params: Mapping[str, str]) -> FileQuery | None:
    """The query; None if no file of the store can be in the answer, or if the upstream should reject it."""
    limit, order = params.get("limit", str(MAX_PAGE_SIZE)), params.get("order", "desc")
    if params.get("purpose") not in _PURPOSES or not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE_SIZE:
        return None
    match order:
        case "asc" | "desc":
            return FileQuery(int(limit), order, params.get("after"))
        case _:
            return None


def read_own_files(session: Session, query: FileQuery) -> OwnFiles | None:
    """The store's part of the page, before the upstream's is read; None if the page is the upstream's alone."""
    cursor_is_own = query.after is not None and get_row(session, query.after) is not None
    if query.after is not None and not cursor_is_own and query.order == "desc":
        return None
    rows = session.get_page(
        ObjectKind.FILE, limit=query.limit, order=query.order, after=query.after if cursor_is_own else None
    )
    if not rows.data and not cursor_is_own:
        return None
    return OwnFiles(Page([row["file"] for row in rows.data], rows.has_more), cursor_is_own)


def plan_upstream_query(query: FileQuery, own: OwnFiles) -> UpstreamFilesQuery | None:
    """The query to the upstream that completes the page; None if the store's files fill it."""
    if query.order == "desc":
        # If the store's files fill the page exactly, one upstream file shows whether there is more.
        return None if own.page.has_more else UpstreamFilesQuery(max(query.limit - len(own.page.data), 1), None)
    return None if own.cursor_is_own else UpstreamFilesQuery(query.limit, query.after)


def merge_file_pages(query: FileQuery, own: OwnFiles, upstream_page: Page[FileObject]) -> ListObject[FileObject]:
    """The page, merged from the store's part and the upstream's."""
    own_page = own.page
    if query.order == "desc":
        files = [*own_page.data, *upstream_page.data]
    else:
        files = [*upstream_page.data, *(() if upstream_page.has_more else own_page.data)]
    has_more = len(files) > query.limit or own_page.has_more or upstream_page.has_more
    data = files[: query.limit]
    if query.after is None and not has_more:
        # Upstreams leave out keys.
        data.sort(key=lambda file: file.get("created_at") or 0, reverse=query.order == "desc")
    return build_list_object(data, has_more=has_more)
