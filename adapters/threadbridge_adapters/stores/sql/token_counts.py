"""What selects a thread's history: what each entry weighs, by an index that holds no content, and how much there is."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select, update

from threadbridge.ports import EntryRole, ThreadSize, TimelinePosition, TokenCount
from threadbridge_adapters.stores.sql.connection import SqlConnection
from threadbridge_adapters.stores.sql.schema import thread_sizes, timeline
from threadbridge_adapters.stores.sql.statements import Statement, build_upsert

_OF_THREAD = (timeline.c.tenant == bindparam("tenant"), timeline.c.thread_id == bindparam("thread_id"))
_SELECT_POSITIONS = (
    select(timeline.c.seq, timeline.c.sort, timeline.c.tokens).where(*_OF_THREAD).limit(bindparam("limit"))
)
_OLDEST = Statement(_SELECT_POSITIONS.where(timeline.c.seq > bindparam("beyond")).order_by(timeline.c.seq))
_NEWEST = Statement(_SELECT_POSITIONS.where(timeline.c.seq < bindparam("beyond")).order_by(timeline.c.seq.desc()))
#: Beyond every position there can be.
_END = 2**63 - 1

_SET_TOKEN_COUNT = Statement(
    update(timeline)
    .where(*_OF_THREAD, timeline.c.seq == bindparam("of_seq"), timeline.c.tokens.is_(None))
    .values(sort=bindparam("new_sort"), tokens=bindparam("new_tokens"))
)
_OF_MESSAGE = (timeline.c.tenant == bindparam("tenant"), timeline.c.message_id == bindparam("message_id"))
_MESSAGE_TOKENS = Statement(select(timeline.c.thread_id, timeline.c.tokens).where(*_OF_MESSAGE))
_CLEAR_TOKEN_COUNT = Statement(
    update(timeline).where(*_OF_MESSAGE).values(sort=bindparam("no_sort"), tokens=bindparam("no_count"))
)

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


def list_positions(
    connection: SqlConnection, tenant: str, thread_id: str, *, limit: int, newest_first: bool, beyond: int | None
) -> Sequence[TimelinePosition]:
    """Lines of the timeline without their content."""
    values = {"tenant": tenant, "thread_id": thread_id, "limit": limit}
    if newest_first:
        rows = connection.fetch_all(_NEWEST, {**values, "beyond": _END if beyond is None else beyond})
    else:
        rows = connection.fetch_all(_OLDEST, {**values, "beyond": 0 if beyond is None else beyond})
    return [
        TimelinePosition(seq, None if tokens is None else TokenCount(EntryRole(role), tokens))
        for seq, role, tokens in rows
    ]


def set_token_count(
    connection: SqlConnection, tenant: str, thread_id: str, position: int, token_count: TokenCount
) -> None:
    """Keep what an entry weighs, unless that is known."""
    values = {"of_seq": position, "new_sort": token_count.role.value, "new_tokens": token_count.tokens}
    if connection.execute(_SET_TOKEN_COUNT, {"tenant": tenant, "thread_id": thread_id, **values}):
        add_to_size(connection, tenant, thread_id, messages=0, tokens=token_count.tokens)


def get_size(connection: SqlConnection, tenant: str, thread_id: str) -> ThreadSize:
    """How much the thread holds."""
    row = connection.fetch_one(_SIZE, {"tenant": tenant, "thread_id": thread_id})
    return ThreadSize(0, 0) if row is None else ThreadSize(*row)


def add_to_size(
    connection: SqlConnection, tenant: str, thread_id: str, *, messages: int, tokens: int, edits: int = 0
) -> None:
    """Entries came, or went where the numbers are negative."""
    values = {"messages": messages, "tokens": tokens, "edits": edits}
    connection.execute(_ADD_TO_SIZE, {"tenant": tenant, "thread_id": thread_id, **values})


def clear_token_count(connection: SqlConnection, tenant: str, message_id: str) -> None:
    """The message says something else now: it has to be counted again."""
    subtract_message(connection, tenant, message_id, messages=0)
    connection.execute(
        _CLEAR_TOKEN_COUNT, {"tenant": tenant, "message_id": message_id, "no_sort": None, "no_count": None}
    )


def subtract_message(connection: SqlConnection, tenant: str, message_id: str, *, messages: int = 1) -> None:
    """The message goes, if it is there, or its words do."""
    row = connection.fetch_one(_MESSAGE_TOKENS, {"tenant": tenant, "message_id": message_id})
    if row is not None:
        add_to_size(connection, tenant, row[0], messages=-messages, tokens=-(row[1] or 0), edits=1)
