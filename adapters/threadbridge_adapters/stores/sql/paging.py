"""Pages of objects in order of insertion, by cursor: every one is a range of an index, however long the list."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, NamedTuple

from sqlalchemy import ScalarSelect, bindparam, literal, select

from threadbridge.ports import ObjectKind, Page
from threadbridge_adapters.stores.sql.connection import SqlConnection
from threadbridge_adapters.stores.sql.json_codec import decode_json
from threadbridge_adapters.stores.sql.object_tables import OBJECT_TABLES, ObjectTable
from threadbridge_adapters.stores.sql.statements import Statement


class PageShape(NamedTuple):
    """What decides the text of a page's statement; its values are bound when it runs."""

    kind: ObjectKind
    ascending: bool
    after: bool
    before: bool
    of_thread: bool
    of_run: bool

    @property
    def is_backward(self) -> bool:
        """With `before` alone the nearest objects are wanted, so the walk starts at the cursor."""
        return self.before and not self.after


@cache
def build_page_statement(shape: PageShape) -> Statement:
    """The statement of one shape."""
    object_table = OBJECT_TABLES[shape.kind]
    seq = object_table.table.c.seq
    query = select(object_table.body).where(
        object_table.table.c.tenant == bindparam("tenant"), *_build_filters(object_table, shape)
    )
    if shape.kind is ObjectKind.MESSAGE:
        query = query.where(object_table.id.is_not(None))
    if shape.after:
        cursor = _build_cursor_position(object_table, shape, "after")
        query = query.where(seq > cursor if shape.ascending else seq < cursor)
    if shape.before:
        cursor = _build_cursor_position(object_table, shape, "before")
        query = query.where(seq < cursor if shape.ascending else seq > cursor)
    oldest_first = shape.ascending != shape.is_backward
    return Statement(query.order_by(seq if oldest_first else seq.desc()).limit(bindparam("limit")))


def _build_filters(object_table: ObjectTable, shape: PageShape) -> list[Any]:
    columns = object_table.table.c
    if not shape.of_run:
        return [columns.thread_id == bindparam("thread_id")] if shape.of_thread else []
    # A run is the narrower range; the concatenation keeps planners without statistics from walking the whole thread.
    in_thread = [(columns.thread_id + literal("")) == bindparam("thread_id")] if shape.of_thread else []
    return [columns.run_id == bindparam("run_id"), *in_thread]


def _build_cursor_position(object_table: ObjectTable, shape: PageShape, name: str) -> ScalarSelect[int]:
    """The place of the object a cursor names. An unknown one is null, and compares with no row."""
    alias = object_table.table.alias(f"{name}_cursor")
    position = select(alias.c.seq).where(
        alias.c.tenant == bindparam("tenant"), alias.c[object_table.id.name] == bindparam(name)
    )
    if shape.of_thread:
        position = position.where(alias.c.thread_id == bindparam("thread_id"))
    return position.scalar_subquery()


def fetch_page(
    connection: SqlConnection,
    tenant: str,
    kind: ObjectKind,
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
    bound_values = {name: value for name, value in values.items() if value is not None}
    shape = PageShape(
        kind,
        ascending=order == "asc",
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
