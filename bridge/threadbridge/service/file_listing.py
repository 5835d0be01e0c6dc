"""`GET /files` over the files of this store and those of the upstream: one list, whose cursors are ids of either.

The upstream does not say when the file of a cursor was created, so pages are not merged by time: the store's files come
before the upstream's, in ascending order after them. A list that fits one page is sorted by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from threadbridge.api_types import ListObject
from threadbridge.ports import ObjectKind, Page, Session
from threadbridge.service.generated_files import FileObject, get_row
from threadbridge.service.object_factory import build_list_object

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
