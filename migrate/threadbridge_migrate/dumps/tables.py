"""Rows of tables (CSV, SQLite, SQL dumps, JSON of rows): messages, exchanges, and tables that map own thread ids."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge_migrate.dumps.columns import describes_exchange, describes_message, find_columns
from threadbridge_migrate.dumps.conversations import add_message, split_turn
from threadbridge_migrate.dumps.object_collection import ObjectCollection, Origin
from threadbridge_migrate.dumps.values import choose_thread_id, parse_role, parse_time

#: Columns that hold the id that the service assigned to a thread of the program.
_UPSTREAM_IDS: Final = ("openaithreadid", "openaiid", "threadid", "externalid", "externalthreadid", "providerthreadid")
_OWN_IDS: Final = ("id", "uuid", "conversationid", "chatid", "sessionid", "pk")
#: Rows of a table from which its columns are recognised.
_SAMPLE: Final = 50


class Table(NamedTuple):
    """A table whose rows can be read several times."""

    name: str
    columns: Sequence[str]
    read_rows: Callable[[], Iterator[JsonMapping]]


def collect_tables(
    tables: Sequence[Table], collection: ObjectCollection, origin: Origin, mapping: Mapping[str, str]
) -> bool:
    """Collect the messages of all tables; False if no table has any. Rows that cannot be placed are problems."""
    by_kind = {table.name: find_columns(table.columns, mapping) for table in tables}
    messages = [
        table for table in tables if (describes_message(by_kind[table.name]) or describes_exchange(by_kind[table.name]))
    ]
    own_threads = [table for table in tables if table not in messages]
    aliases = _read_aliases(own_threads)
    roles = _read_roles(own_threads)
    is_known = False
    for table in messages:
        for number, row in enumerate(table.read_rows(), start=1):
            row_origin = origin._replace(position=f"{table.name} row {number}" if table.name else f"row {number}")
            is_known = _collect_row(row, collection, row_origin, mapping, aliases, roles) or is_known
    return _collect_threads(own_threads, collection, origin, aliases) or is_known


def _collect_row(
    row: JsonMapping,
    collection: ObjectCollection,
    origin: Origin,
    mapping: Mapping[str, str],
    aliases: Mapping[str, str],
    roles: Mapping[str, str],
) -> bool:
    is_known = False
    for message in split_turn(row, mapping):
        if message.thread in (None, ""):
            collection.add_problem(
                origin, "This row names no thread; say which column does with --map thread_id=COLUMN."
            )
            continue
        key = aliases.get(str(message.thread), message.thread)
        role = message.role
        if parse_role(role) is None:
            role = roles.get(str(role), role)
        is_known = add_message(collection, origin, key, message._replace(role=role)) is not None or is_known
    return is_known


def _normalise(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def _find(columns: Sequence[str], names: Sequence[str]) -> str | None:
    words = {_normalise(column): column for column in columns}
    return next((words[name] for name in names if name in words), None)


def _read_aliases(tables: Sequence[Table]) -> dict[str, str]:
    """The thread ids of the service by the ids that the program uses."""
    aliases: dict[str, str] = {}
    for table in tables:
        upstream, own = _find(table.columns, _UPSTREAM_IDS), _find(table.columns, _OWN_IDS)
        if upstream is None or own is None or upstream == own:
            continue
        for row in table.read_rows():
            value = row.get(upstream)
            if isinstance(value, str) and not choose_thread_id(value)[1]:
                aliases[str(row.get(own))] = value
    return aliases


def _read_roles(tables: Sequence[Table]) -> dict[str, str]:
    """The roles by the keys of a table of roles."""
    roles: dict[str, str] = {}
    for table in tables:
        key, name = _find(table.columns, ("id", "roleid")), _find(table.columns, ("name", "role", "rolename", "title"))
        if key is None or name is None or "role" not in _normalise(table.name):
            continue
        for number, row in enumerate(table.read_rows()):
            if number >= _SAMPLE:
                break
            roles[str(row.get(key))] = str(row.get(name))
    return roles


def _collect_threads(
    tables: Sequence[Table], collection: ObjectCollection, origin: Origin, aliases: Mapping[str, str]
) -> bool:
    """Threads with their times and titles, from tables that name threads of the service, also without messages."""
    is_known = False
    for table in tables:
        columns = find_columns(table.columns, {})
        column = _find(table.columns, _UPSTREAM_IDS) or _find(table.columns, _OWN_IDS)
        if column is None:
            continue
        for number, row in enumerate(table.read_rows(), start=1):
            value = row.get(column)
            if not isinstance(value, str) or choose_thread_id(value)[1]:
                continue
            title = row.get(columns["title"]) if "title" in columns else None
            body: JsonObject = {
                "id": value,
                "object": "thread",
                "created_at": parse_time(row.get(columns["created_at"])) if "created_at" in columns else None,
                "metadata": {"title": str(title)[:512]} if title else {},
                "tool_resources": {},
            }
            place = origin._replace(position=f"{table.name} row {number}")
            collection.add("thread", body, place, derived=["thread"])
            is_known = True
    return is_known or bool(aliases)
