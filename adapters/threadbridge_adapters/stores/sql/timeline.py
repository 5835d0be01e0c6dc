"""The timeline of a thread: its entries in order, their token counts, and the size of the thread.

Token counts are read from an index that holds no content, so that selecting a history does not read messages.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, func, select, update

from threadbridge.api_types import InputItem, JsonMapping
from threadbridge.ports import Entry, EntryRole, ObjectKind, ThreadSize, TimelinePosition, TokenCount
from threadbridge_adapters.stores.sql.object_tables import (
    OBJECT_TABLES,
    build_conflict,
    decode_json,
    decode_optional_json,
    to_timeline_row,
)
from threadbridge_adapters.stores.sql.schema import thread_sizes, timeline
from threadbridge_adapters.stores.sql.statements import (
    IntegrityViolation,
    SqlConnection,
    Statement,
    build_insert,
    build_upsert,
)

_OF_THREAD = (timeline.c.tenant == bindparam("tenant"), timeline.c.thread_id == bindparam("thread_id"))
_OF_MESSAGE = (timeline.c.tenant == bindparam("tenant"), timeline.c.message_id == bindparam("message_id"))
_OF_RUN = (timeline.c.tenant == bindparam("tenant"), timeline.c.run_id == bindparam("run_id"))
#: Greater than every position.
_END = 2**63 - 1

# Entries
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
_ITEMS = Statement(select(timeline.c.item).where(*_OF_RUN, timeline.c.item.is_not(None)).order_by(timeline.c.seq))

# Token counts
_positions = select(timeline.c.seq, timeline.c.sort, timeline.c.tokens).where(*_OF_THREAD).limit(bindparam("limit"))
_OLDEST_POSITIONS = Statement(_positions.where(timeline.c.seq > bindparam("beyond")).order_by(timeline.c.seq))
_NEWEST_POSITIONS = Statement(_positions.where(timeline.c.seq < bindparam("beyond")).order_by(timeline.c.seq.desc()))
_SET_TOKEN_COUNT = Statement(
    update(timeline)
    .where(*_OF_THREAD, timeline.c.seq == bindparam("of_seq"), timeline.c.tokens.is_(None))
    .values(sort=bindparam("new_sort"), tokens=bindparam("new_tokens"))
)
_MESSAGE_TOKENS = Statement(select(timeline.c.thread_id, timeline.c.tokens).where(*_OF_MESSAGE))
_CLEAR_TOKEN_COUNT = Statement(
    update(timeline).where(*_OF_MESSAGE).values(sort=bindparam("no_sort"), tokens=bindparam("no_count"))
)

# The size of a thread
_SIZE = Statement(
    select(thread_sizes.c.messages, thread_sizes.c.tokens, thread_sizes.c.edits).where(
        thread_sizes.c.tenant == bindparam("tenant"), thread_sizes.c.thread_id == bindparam("thread_id")
    )
)
_ADD_TO_SIZE = build_upsert(
    thread_sizes,
    keys=("tenant", "thread_id"),
    update=lambda new: {name: thread_sizes.c[name] + new[name] for name in ("messages", "tokens", "edits")},
)


def append_entries(connection: SqlConnection, tenant: str, thread_id: str, entries: Sequence[Entry]) -> None:
    """Append the entries, and add them to the size of the thread."""
    if not entries:
        return
    ids = [entry.message["id"] for entry in entries if entry.message is not None]
    try:
        connection.execute_many(_INSERT, [{"tenant": tenant, **to_timeline_row(thread_id, entry)} for entry in entries])
    except IntegrityViolation as exc:
        raise build_conflict(f"One of the messages {', '.join(ids)}") from exc
    tokens = sum(entry.token_count.tokens for entry in entries if entry.token_count is not None)
    _add_to_size(connection, tenant, thread_id, messages=len(ids), tokens=tokens)


def put_message(connection: SqlConnection, tenant: str, message: JsonMapping) -> None:
    """Replace a message; clears its token count if its content changed. Raises KeyError for an unknown message."""
    object_table = OBJECT_TABLES[ObjectKind.MESSAGE]
    before = object_table.get(connection, tenant, message["id"])
    object_table.put(connection, tenant, message)
    if before is not None and before.get("content") != message.get("content"):
        _subtract_from_size(connection, tenant, message["id"], messages=0)
        cleared = {"tenant": tenant, "message_id": message["id"], "no_sort": None, "no_count": None}
        connection.execute(_CLEAR_TOKEN_COUNT, cleared)


def remove_message(connection: SqlConnection, tenant: str, message_id: str) -> bool:
    """Remove a message with its item. False if unknown."""
    _subtract_from_size(connection, tenant, message_id, messages=1)
    return OBJECT_TABLES[ObjectKind.MESSAGE].remove(connection, tenant, message_id)


def list_entries(
    connection: SqlConnection, tenant: str, thread_id: str, *, last_messages: int | None
) -> Sequence[Entry]:
    """All entries, or those from the n-th newest message on; all if the thread has fewer messages."""
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
    """The entries between two positions, decoded one by one."""
    span = {"tenant": tenant, "thread_id": thread_id, "first": first, "last": last}
    return _decode_entries(connection.fetch_all(_SPAN, span))


def _decode_entries(rows: Sequence[tuple[str | None, str | None, str | None]]) -> Iterator[Entry]:
    return (Entry(decode_optional_json(message), decode_optional_json(item), run_id) for message, item, run_id in rows)


def list_items(connection: SqlConnection, tenant: str, run_id: str) -> Sequence[InputItem]:
    """The items of one run, oldest first."""
    return [decode_json(text) for (text,) in connection.fetch_all(_ITEMS, {"tenant": tenant, "run_id": run_id})]


def list_positions(
    connection: SqlConnection, tenant: str, thread_id: str, *, limit: int, newest_first: bool, beyond: int | None
) -> Sequence[TimelinePosition]:
    """Positions with their token counts, from one end of the timeline or from `beyond` on (exclusive)."""
    if beyond is None:
        beyond = _END if newest_first else 0
    rows = connection.fetch_all(
        _NEWEST_POSITIONS if newest_first else _OLDEST_POSITIONS,
        {"tenant": tenant, "thread_id": thread_id, "limit": limit, "beyond": beyond},
    )
    return [
        TimelinePosition(seq, None if tokens is None else TokenCount(EntryRole(role), tokens))
        for seq, role, tokens in rows
    ]


def set_token_count(
    connection: SqlConnection, tenant: str, thread_id: str, position: int, token_count: TokenCount
) -> None:
    """Set the token count of an entry that has none, and add it to the size of the thread."""
    values = {"of_seq": position, "new_sort": token_count.role.value, "new_tokens": token_count.tokens}
    if connection.execute(_SET_TOKEN_COUNT, {"tenant": tenant, "thread_id": thread_id, **values}):
        _add_to_size(connection, tenant, thread_id, messages=0, tokens=token_count.tokens)


def get_size(connection: SqlConnection, tenant: str, thread_id: str) -> ThreadSize:
    """The size of the thread."""
    row = connection.fetch_one(_SIZE, {"tenant": tenant, "thread_id": thread_id})
    return ThreadSize(0, 0) if row is None else ThreadSize(*row)


def _add_to_size(
    connection: SqlConnection, tenant: str, thread_id: str, *, messages: int, tokens: int, edits: int = 0
) -> None:
    """Change the size of the thread; the numbers are negative when messages are removed."""
    values = {"messages": messages, "tokens": tokens, "edits": edits, "requests": None}
    connection.execute(_ADD_TO_SIZE, {"tenant": tenant, "thread_id": thread_id, **values})


def _subtract_from_size(connection: SqlConnection, tenant: str, message_id: str, *, messages: int) -> None:
    """Subtract the tokens of a message, if it exists, and this number of messages; counts as an edit."""
    row = connection.fetch_one(_MESSAGE_TOKENS, {"tenant": tenant, "message_id": message_id})
    if row is not None:
        _add_to_size(connection, tenant, row[0], messages=-messages, tokens=-(row[1] or 0), edits=1)
