"""A thread's timeline: what was said and what was called, in the order it happened."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, func, select

from threadbridge.ports import Entry, Kind, Wire
from threadbridge_adapters.stores.sql import token_counts
from threadbridge_adapters.stores.sql.compiled_statements import Statement, insertion
from threadbridge_adapters.stores.sql.json_codec import parsed, parsed_or_none
from threadbridge_adapters.stores.sql.object_tables import SHELVES, entry_row, taken
from threadbridge_adapters.stores.sql.schema import timeline

_OF_THREAD = (timeline.c.tenant == bindparam("tenant"), timeline.c.thread_id == bindparam("thread_id"))
_INSERT = insertion(timeline)
_entries = select(timeline.c.message, timeline.c.item, timeline.c.run_id).where(*_OF_THREAD).order_by(timeline.c.seq)
_ALL = Statement(_entries)
_SPAN = Statement(_entries.where(timeline.c.seq.between(bindparam("first"), bindparam("last"))))

_of_same_thread = timeline.alias("counted")
_nth_newest_message = (
    select(_of_same_thread.c.seq)
    .where(
        _of_same_thread.c.tenant == bindparam("tenant"),
        _of_same_thread.c.thread_id == bindparam("thread_id"),
        _of_same_thread.c.message_id.is_not(None),
    )
    .order_by(_of_same_thread.c.seq.desc())
    .limit(1)
    .offset(bindparam("newer"))
    .scalar_subquery()
)
_NEWEST = Statement(_entries.where(timeline.c.seq >= func.coalesce(_nth_newest_message, 0)))

_ITEMS = Statement(
    select(timeline.c.item)
    .where(
        timeline.c.tenant == bindparam("tenant"),
        timeline.c.run_id == bindparam("run_id"),
        timeline.c.item.is_not(None),
    )
    .order_by(timeline.c.seq)
)


def append(driver: sqlite3.Connection, tenant: str, thread_id: str, entries: Sequence[Entry]) -> None:
    """Add the entries to the end."""
    if not entries:
        return
    ids = [entry.message["id"] for entry in entries if entry.message is not None]
    try:
        _INSERT.run_for_each(driver, [{"tenant": tenant, **entry_row(thread_id, entry)} for entry in entries])
    except sqlite3.IntegrityError as exc:
        raise taken(f"One of the messages {', '.join(ids)}") from exc
    tokens = sum(entry.weight.tokens for entry in entries if entry.weight is not None)
    token_counts.grow(driver, tenant, thread_id, messages=len(ids), tokens=tokens)


def replace(driver: sqlite3.Connection, tenant: str, message: Wire) -> None:
    """Replace a message; what it weighs is forgotten if it says something else now. Raises KeyError for none."""
    shelf = SHELVES[Kind.MESSAGE]
    before = shelf.get(driver, tenant, message["id"])
    shelf.put(driver, tenant, message)
    if before is not None and before.get("content") != message.get("content"):
        token_counts.forget(driver, tenant, message["id"])


def remove(driver: sqlite3.Connection, tenant: str, message_id: str) -> bool:
    """Remove a message with its item; whether it was there."""
    token_counts.shrink(driver, tenant, message_id)
    return SHELVES[Kind.MESSAGE].remove(driver, tenant, message_id)


def entries(driver: sqlite3.Connection, tenant: str, thread_id: str, *, last_messages: int | None) -> Sequence[Entry]:
    """All entries, or those from the n-th newest message on; everything where there are fewer messages."""
    values = {"tenant": tenant, "thread_id": thread_id}
    if last_messages is None:
        rows = _ALL.rows(driver, values)
    elif last_messages > 0:
        rows = _NEWEST.rows(driver, {**values, "newer": last_messages - 1})
    else:
        return []
    return list(_parsed(rows))


def span(driver: sqlite3.Connection, tenant: str, thread_id: str, *, first: int, last: int) -> Iterator[Entry]:
    """The entries between two positions, parsed one by one."""
    return _parsed(_SPAN.rows(driver, {"tenant": tenant, "thread_id": thread_id, "first": first, "last": last}))


def _parsed(rows: Sequence[tuple[str | None, str | None, str | None]]) -> Iterator[Entry]:
    return (Entry(parsed_or_none(message), parsed_or_none(item), run_id) for message, item, run_id in rows)


def items(driver: sqlite3.Connection, tenant: str, run_id: str) -> Sequence[Wire]:
    """The items of one run, oldest first."""
    return [parsed(text) for (text,) in _ITEMS.rows(driver, {"tenant": tenant, "run_id": run_id})]
