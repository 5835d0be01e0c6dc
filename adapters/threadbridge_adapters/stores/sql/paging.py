"""Pages of objects in order of insertion, by cursor: each is a range of an index, however long the list."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import ScalarSelect, bindparam, literal, select

from threadbridge.ports import ObjectKind, Page, PageRange
from threadbridge_adapters.stores.sql.object_tables import OBJECT_TABLES, ObjectTable, decode_json
from threadbridge_adapters.stores.sql.statements import SqlConnection, Statement


class PageShape(NamedTuple):
    """The properties of a page that determine the text of its statement; the values are bound when it runs."""

    kind: ObjectKind
    ascending: bool
    after: bool
    before: bool
    of_thread: bool
    of_run: bool

    @property
    def is_backward(self) -> bool:
        """With `before` alone the nearest objects are wanted, so rows are read from the cursor backwards."""
        return self.before and not self.after


@cache
def build_page_statement(shape: PageShape) -> Statement:
    """The statement of one shape."""
    object_table = OBJECT_TABLES[shape.kind]
    columns = object_table.table.c
    query = select(object_table.body).where(columns.tenant == bindparam("tenant"))
    if shape.of_run:
        query = query.where(columns.run_id == bindparam("run_id"))
    if shape.of_thread:
        # A run is the narrower range; the concatenation keeps planners without statistics from reading a whole thread.
        thread_id = columns.thread_id + literal("") if shape.of_run else columns.thread_id
        query = query.where(thread_id == bindparam("thread_id"))
    if shape.kind is ObjectKind.MESSAGE:
        query = query.where(object_table.id.is_not(None))
    if shape.after:
        cursor = _build_cursor_position(object_table, shape, "after")
        query = query.where(columns.seq > cursor if shape.ascending else columns.seq < cursor)
    if shape.before:
        cursor = _build_cursor_position(object_table, shape, "before")
        query = query.where(columns.seq < cursor if shape.ascending else columns.seq > cursor)
    oldest_first = shape.ascending != shape.is_backward
    return Statement(query.order_by(columns.seq if oldest_first else columns.seq.desc()).limit(bindparam("limit")))


def _build_cursor_position(object_table: ObjectTable, shape: PageShape, name: str) -> ScalarSelect[int]:
    """The position of the object that a cursor names; null for an unknown object, so that no row matches."""
    alias = object_table.table.alias(f"{name}_cursor")
    position = select(alias.c.seq).where(
        alias.c.tenant == bindparam("tenant"), alias.c[object_table.id.name] == bindparam(name)
    )
    if shape.of_thread:
        position = position.where(alias.c.thread_id == bindparam("thread_id"))
    return position.scalar_subquery()


def fetch_page(connection: SqlConnection, tenant: str, kind: ObjectKind, page: PageRange) -> Page[Any]:
    """One page; one row more than the limit is read to know whether more follow."""
    limit = page["limit"]
    values = {name: page.get(name) for name in ("after", "before", "thread_id", "run_id")}
    bound_values = {name: value for name, value in values.items() if value is not None}
    shape = PageShape(
        kind,
        ascending=page["order"] == "asc",
        after="after" in bound_values,
        before="before" in bound_values,
        of_thread="thread_id" in bound_values,
        of_run="run_id" in bound_values,
    )
    rows = connection.fetch_all(build_page_statement(shape), {"tenant": tenant, "limit": limit + 1, **bound_values})
    data = [decode_json(text) for (text,) in rows[:limit]]
    if shape.is_backward:
        data.reverse()
    return Page(data, has_more=len(rows) > limit)
