"""Pages of objects in order of insertion, by cursor: every one is a range of an index, however long the list."""

from __future__ import annotations

import sqlite3
from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import ScalarSelect, bindparam, literal, select

from threadbridge.ports import Kind, Page
from threadbridge_adapters.stores.sql.compiled_statements import Statement
from threadbridge_adapters.stores.sql.json_codec import parsed
from threadbridge_adapters.stores.sql.object_tables import SHELVES, Shelf


class Shape(NamedTuple):
    """What decides the text of a page's statement; its values are bound when it runs."""

    kind: Kind
    ascending: bool
    after: bool
    before: bool
    of_thread: bool
    of_run: bool

    @property
    def walks_back(self) -> bool:
        """With `before` alone the nearest objects are wanted, so the walk starts at the cursor."""
        return self.before and not self.after


@cache
def statement(shape: Shape) -> Statement:
    """The statement of one shape."""
    shelf = SHELVES[shape.kind]
    seq = shelf.table.c.seq
    query = select(shelf.body).where(shelf.table.c.tenant == bindparam("tenant"), *_filters(shelf, shape))
    if shape.kind is Kind.MESSAGE:
        query = query.where(shelf.id.is_not(None))
    if shape.after:
        cursor = _cursor(shelf, shape, "after")
        query = query.where(seq > cursor if shape.ascending else seq < cursor)
    if shape.before:
        cursor = _cursor(shelf, shape, "before")
        query = query.where(seq < cursor if shape.ascending else seq > cursor)
    oldest_first = shape.ascending != shape.walks_back
    return Statement(query.order_by(seq if oldest_first else seq.desc()).limit(bindparam("limit")))


def _filters(shelf: Shelf, shape: Shape) -> list[Any]:
    columns = shelf.table.c
    if not shape.of_run:
        return [columns.thread_id == bindparam("thread_id")] if shape.of_thread else []
    # A run is the narrower range; the concatenation keeps planners without statistics from walking the whole thread.
    in_thread = [(columns.thread_id + literal("")) == bindparam("thread_id")] if shape.of_thread else []
    return [columns.run_id == bindparam("run_id"), *in_thread]


def _cursor(shelf: Shelf, shape: Shape, name: str) -> ScalarSelect[int]:
    """The place of the object a cursor names. An unknown one is null, and compares with no row."""
    alias = shelf.table.alias(f"{name}_cursor")
    place = select(alias.c.seq).where(alias.c.tenant == bindparam("tenant"), alias.c[shelf.id.name] == bindparam(name))
    if shape.of_thread:
        place = place.where(alias.c.thread_id == bindparam("thread_id"))
    return place.scalar_subquery()


def page(
    driver: sqlite3.Connection,
    tenant: str,
    kind: Kind,
    *,
    limit: int,
    order: Literal["asc", "desc"],
    after: str | None,
    before: str | None,
    thread_id: str | None,
    run_id: str | None,
) -> Page:
    """One page; one row more than asked for is read to know whether more follow."""
    values = {"after": after, "before": before, "thread_id": thread_id, "run_id": run_id}
    given = {name: value for name, value in values.items() if value is not None}
    shape = Shape(
        kind,
        ascending=order == "asc",
        after="after" in given,
        before="before" in given,
        of_thread="thread_id" in given,
        of_run="run_id" in given,
    )
    found = statement(shape).rows(driver, {"tenant": tenant, "limit": limit + 1, **given})
    data = [parsed(text) for (text,) in found[:limit]]
    if shape.walks_back:
        data.reverse()
    return Page(data, has_more=len(found) > limit)
