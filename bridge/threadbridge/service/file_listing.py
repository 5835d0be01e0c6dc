"""`GET /files` where some files are ours and the others the service's: one list, whose cursors are ids of either.

The service tells no time of a cursor, so the two are not mixed page by page: ours come in front of the others, in
ascending order behind them. A list that one page holds is by time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from threadbridge.ports import Kind, Page, Session, Wire
from threadbridge.service.object_factory import listed

#: The most files of a page, and as many as come unasked: other lists have at most 100 (A11).
LARGEST_PAGE = 10_000
#: Purposes that a list with our files can be about.
_PURPOSES = (None, "assistants_output")


@dataclass(frozen=True, slots=True)
class FileQuery:
    """What of the list is asked for."""

    limit: int = LARGEST_PAGE
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None


@dataclass(frozen=True, slots=True)
class OwnPart:
    """Our files for the page, as many as it can hold. `begun`: an earlier page ended with one of ours."""

    page: Page
    begun: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """What of a page the service has to tell: so many of its files, from this one on."""

    limit: int
    after: str | None


def file_query(given: Mapping[str, str]) -> FileQuery | None:
    """The query; None where our files have no part in its answer, or where the service should refuse it."""
    limit, order = given.get("limit", str(LARGEST_PAGE)), given.get("order", "desc")
    if given.get("purpose") not in _PURPOSES or not limit.isdecimal() or not 1 <= int(limit) <= LARGEST_PAGE:
        return None
    match order:
        case "asc" | "desc":
            return FileQuery(int(limit), order, given.get("after"))
        case _:
            return None


def own_part(session: Session, query: FileQuery) -> OwnPart | None:
    """Our part of the page, before the service's was seen; None where it is the service's alone."""
    begun = query.after is not None and session.get(Kind.FILE, query.after) is not None
    if query.after is not None and not begun and query.order == "desc":
        return None
    rows = session.page(Kind.FILE, limit=query.limit, order=query.order, after=query.after if begun else None)
    if not rows.data and not begun:
        return None
    return OwnPart(Page([row["file"] for row in rows.data], rows.has_more), begun)


def missing_part(query: FileQuery, own: OwnPart) -> Missing | None:
    """What the service has to be asked for, so that the page is whole; None where ours are all of it."""
    if query.order == "desc":
        # Where ours fill the page: whether anything comes behind it.
        return None if own.page.has_more else Missing(max(query.limit - len(own.page.data), 1), None)
    return None if own.begun else Missing(query.limit, query.after)


def joined(query: FileQuery, own: OwnPart, theirs: Page) -> Wire:
    """The page, from our part and what the service told."""
    ours = own.page
    found = [*ours.data, *theirs.data] if query.order == "desc" else _behind(theirs, ours)
    has_more = len(found) > query.limit or ours.has_more or theirs.has_more
    data = found[: query.limit]
    if query.after is None and not has_more:
        data.sort(key=lambda file: file.get("created_at") or 0, reverse=query.order == "desc")
    return listed(data, has_more=has_more)


def _behind(theirs: Page, own: Page) -> list[Wire]:
    return list(theirs.data) if theirs.has_more else [*theirs.data, *own.data]
