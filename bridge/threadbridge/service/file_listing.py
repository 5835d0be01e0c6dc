"""`GET /files` where some files are ours and the others the service's: one list, whose cursors are ids of either.

The service tells no time of a cursor, so the two are not mixed page by page: ours come in front of the others, in
ascending order behind them. A list that one page holds is by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from threadbridge.ports import ObjectKind, Page, Session, Wire
from threadbridge.service.object_factory import build_list_object

#: The most files of a page, and as many as come unasked: other lists have at most 100 (A11).
MAX_PAGE_SIZE = 10_000
#: Purposes that a list with our files can be about.
_PURPOSES = (None, "assistants_output")


@dataclass(frozen=True, slots=True)
class FileQuery:
    """What of the list is asked for."""

    limit: int = MAX_PAGE_SIZE
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None


@dataclass(frozen=True, slots=True)
class OwnFiles:
    """Our files for the page, as many as it can hold. `begun`: an earlier page ended with one of ours."""

    page: Page
    cursor_is_own: bool


@dataclass(frozen=True, slots=True)
class UpstreamFilesQuery:
    """What of a page the service has to tell: so many of its files, from this one on."""

    limit: int
    after: str | None


def parse_file_query(params: Mapping[str, str]) -> FileQuery | None:
    """The query; None where our files have no part in its answer, or where the service should refuse it."""
    limit, order = params.get("limit", str(MAX_PAGE_SIZE)), params.get("order", "desc")
    if params.get("purpose") not in _PURPOSES or not limit.isdecimal() or not 1 <= int(limit) <= MAX_PAGE_SIZE:
        return None
    match order:
        case "asc" | "desc":
            return FileQuery(int(limit), order, params.get("after"))
        case _:
            return None


def read_own_files(session: Session, query: FileQuery) -> OwnFiles | None:
    """Our part of the page, before the service's was seen; None where it is the service's alone."""
    cursor_is_own = query.after is not None and session.get(ObjectKind.FILE, query.after) is not None
    if query.after is not None and not cursor_is_own and query.order == "desc":
        return None
    rows = session.get_page(
        ObjectKind.FILE, limit=query.limit, order=query.order, after=query.after if cursor_is_own else None
    )
    if not rows.data and not cursor_is_own:
        return None
    return OwnFiles(Page([row["file"] for row in rows.data], rows.has_more), cursor_is_own)


def plan_upstream_query(query: FileQuery, own: OwnFiles) -> UpstreamFilesQuery | None:
    """What the service has to be asked for, so that the page is whole; None where ours are all of it."""
    if query.order == "desc":
        # Where ours fill the page: whether anything comes behind it.
        return None if own.page.has_more else UpstreamFilesQuery(max(query.limit - len(own.page.data), 1), None)
    return None if own.cursor_is_own else UpstreamFilesQuery(query.limit, query.after)


def merge_file_pages(query: FileQuery, own: OwnFiles, upstream_page: Page) -> Wire:
    """The page, from our part and what the service told."""
    own_page = own.page
    files = (
        [*own_page.data, *upstream_page.data] if query.order == "desc" else _append_own_files(upstream_page, own_page)
    )
    has_more = len(files) > query.limit or own_page.has_more or upstream_page.has_more
    data = files[: query.limit]
    if query.after is None and not has_more:
        data.sort(key=lambda file: file.get("created_at") or 0, reverse=query.order == "desc")
    return build_list_object(data, has_more=has_more)


def _append_own_files(upstream_page: Page, own_page: Page) -> list[Wire]:
    return list(upstream_page.data) if upstream_page.has_more else [*upstream_page.data, *own_page.data]
