"""A thread's timeline: what was said and what was called, in the order it happened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, func, select

from threadbridge.ports import Entry, ObjectKind, Wire
from threadbridge_adapters.stores.sql import token_counts
from threadbridge_adapters.stores.sql.connection import IntegrityViolation, SqlConnection
from threadbridge_adapters.stores.sql.json_codec import decode_json, decode_optional_json
from threadbridge_adapters.stores.sql.object_tables import OBJECT_TABLES, build_conflict, to_timeline_row
from threadbridge_adapters.stores.sql.schema import timeline
from threadbridge_adapters.stores.sql.statements import Statement, build_insert

_OF_THREAD = (timeline.c.tenant == bindparam("tenant"), timeline.c.thread_id == bindparam("thread_id"))
_INSERT = build_insert(timeline)
_entries = select(timeline.c.message, timeline.c.item, timeline.c.run_id).where(*_OF_THREAD).order_by(timeline.c.seq)
_ALL = Statement(_entries)
_SPAN = Statement(_entries.where(timeline.c.seq.between(bindparam("first"), bindparam("last"))))

_newer_messages = timeline.alias("counted")
_nth_newest_message = (
    select(_newer_messages.c.seq)
    .where(
        _newer_messages.c.tenant == bindparam("tenant"),
        _newer_messages.c.thread_id == bindparam("thread_id"),
        _newer_messages.c.message_id.is_not(None),
    )
    .order_by(_newer_messages.c.seq.desc())
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


def append(connection: SqlConnection, tenant: str, thread_id: str, entries: Sequence[Entry]) -> None:
    """Add the entries to the end."""
    if not entries:
        return
    ids = [entry.message["id"] for entry in entries if entry.message is not None]
    try:
        connection.execute_many(_INSERT, [{"tenant": tenant, **to_timeline_row(thread_id, entry)} for entry in entries])
    except IntegrityViolation as exc:
        raise build_conflict(f"One of the messages {', '.join(ids)}") from exc
    tokens = sum(entry.token_count.tokens for entry in entries if entry.token_count is not None)
    token_counts.add_to_size(connection, tenant, thread_id, messages=len(ids), tokens=tokens)


def replace(connection: SqlConnection, tenant: str, message: Wire) -> None:
    """Replace a message; what it weighs is forgotten if it says something else now. Raises KeyError for none."""
    object_table = OBJECT_TABLES[ObjectKind.MESSAGE]
    before = object_table.get(connection, tenant, message["id"])
    object_table.put(connection, tenant, message)
    if before is not None and before.get("content") != message.get("content"):
        token_counts.clear_token_count(connection, tenant, message["id"])


def remove(connection: SqlConnection, tenant: str, message_id: str) -> bool:
    """Remove a message with its item; whether it was there."""
    token_counts.subtract_message(connection, tenant, message_id)
    return OBJECT_TABLES[ObjectKind.MESSAGE].remove(connection, tenant, message_id)


def list_entries(
    connection: SqlConnection, tenant: str, thread_id: str, *, last_messages: int | None
) -> Sequence[Entry]:
    """All entries, or those from the n-th newest message on; everything where there are fewer messages."""
    values = {"tenant": tenant, "thread_id": thread_id}
    if last_messages is None:
        rows = connection.fetch_all(_ALL, values)
    elif last_messages > 0:
        rows = connection.fetch_all(_NEWEST, {**values, "newer": last_messages - 1})
    else:
        return []
    return list(_decode_entries(rows))


def iterate_entries(
    connection: SqlConnection, tenant: str, thread_id: str, *, first: int, last: int
) -> Iterator[Entry]:
    """The entries between two positions, parsed one by one."""
    return _decode_entries(
        connection.fetch_all(_SPAN, {"tenant": tenant, "thread_id": thread_id, "first": first, "last": last})
    )


def _decode_entries(rows: Sequence[tuple[str | None, str | None, str | None]]) -> Iterator[Entry]:
    return (Entry(decode_optional_json(message), decode_optional_json(item), run_id) for message, item, run_id in rows)


def list_items(connection: SqlConnection, tenant: str, run_id: str) -> Sequence[Wire]:
    """The items of one run, oldest first."""
    return [decode_json(text) for (text,) in connection.fetch_all(_ITEMS, {"tenant": tenant, "run_id": run_id})]
