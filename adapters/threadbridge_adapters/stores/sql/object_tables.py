"""Objects by id: where each kind is kept, and the statements that add, read, replace and remove one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Column, Table, bindparam, delete, select, update

from threadbridge.errors import Conflict
from threadbridge.ports import Entry, ObjectKind, Wire
from threadbridge_adapters.stores.sql import schema
from threadbridge_adapters.stores.sql.connection import IntegrityViolation, SqlConnection
from threadbridge_adapters.stores.sql.json_codec import decode_json, encode_json
from threadbridge_adapters.stores.sql.statements import Statement, build_insert

#: The values of one row by column name.
Row = dict[str, Any]


def build_conflict(what: str) -> Conflict:
    """Why a unique index refused a row, in one sentence."""
    return Conflict(f"{what} already exists.")


class ObjectTable:
    """Where the objects of one kind are kept, and what is done with one of them. Made once per kind."""

    def __init__(
        self, table: Table, *, body: str, id_: str, to_row: Callable[[Wire], Row], updated_columns: tuple[str, ...]
    ) -> None:
        self.table = table
        self.id: Column[str] = table.c[id_]
        self.body: Column[str] = table.c[body]
        self._to_row = to_row
        self._updated_columns = (*updated_columns, body)
        mine = (table.c.tenant == bindparam("of_tenant"), self.id == bindparam("of_id"))
        self._insert = build_insert(table)
        self._select = Statement(select(self.body).where(*mine))
        replacing: dict[str, Any] = {name: bindparam(f"new_{name}") for name in self._updated_columns}
        self._update = Statement(update(table).where(*mine).values(replacing))
        self._delete = Statement(delete(table).where(*mine))

    def add(self, connection: SqlConnection, tenant: str, body: Wire, **columns: object) -> None:
        """Insert a row; `columns` are those that the body does not tell."""
        try:
            connection.execute(self._insert, {"tenant": tenant, **self._to_row(body), **columns})
        except IntegrityViolation as exc:
            raise build_conflict(describe_object(body)) from exc

    def get(self, connection: SqlConnection, tenant: str, object_id: str) -> Wire | None:
        row = connection.fetch_one(self._select, {"of_tenant": tenant, "of_id": object_id})
        return None if row is None else decode_json(row[0])

    def put(self, connection: SqlConnection, tenant: str, body: Wire) -> None:
        row = self._to_row(body)
        values = {f"new_{name}": row[name] for name in self._updated_columns}
        try:
            changed = connection.execute(self._update, {"of_tenant": tenant, "of_id": body["id"], **values})
        except IntegrityViolation as exc:
            raise build_conflict(describe_object(body)) from exc
        if not changed:
            raise KeyError(body["id"])

    def remove(self, connection: SqlConnection, tenant: str, object_id: str) -> bool:
        return bool(connection.execute(self._delete, {"of_tenant": tenant, "of_id": object_id}))


def describe_object(body: Wire) -> str:
    """What to call an object whose row is refused."""
    locks = f", or an active run of {body['thread_id']}," if "status" in body and "thread_id" in body else ""
    return f"{body['id']}{locks}"


def _to_object_row(body: Wire) -> Row:
    return {"id": body["id"], "created_at": body.get("created_at"), "body": encode_json(body)}


def _to_file_row(body: Wire) -> Row:
    return {**_to_object_row(body), "blob": body["blob"]}


def _to_run_row(body: Wire) -> Row:
    return {
        **_to_object_row(body),
        "thread_id": body["thread_id"],
        "status": body["status"],
        "lease_owner": None,
        "lease_until": 0.0,
    }


def _to_step_row(body: Wire) -> Row:
    return {**_to_object_row(body), "thread_id": body["thread_id"], "run_id": body["run_id"]}


def to_timeline_row(thread_id: str, entry: Entry) -> Row:
    """One line of a timeline; a message's own run is found where the entry names none."""
    message, item, token_count = entry.message, entry.item, entry.token_count
    run_id = entry.run_id if entry.run_id is not None or message is None else message.get("run_id")
    return {
        "thread_id": thread_id,
        "run_id": run_id,
        "message_id": None if message is None else message["id"],
        "message": None if message is None else encode_json(message),
        "item": None if item is None else encode_json(item),
        "sort": None if token_count is None else token_count.role.value,
        "tokens": None if token_count is None else token_count.tokens,
    }


def _to_message_row(body: Wire) -> Row:
    return to_timeline_row(body["thread_id"], Entry(message=body))


OBJECT_TABLES: Mapping[ObjectKind, ObjectTable] = {
    ObjectKind.ASSISTANT: ObjectTable(
        schema.assistants, id_="id", body="body", to_row=_to_object_row, updated_columns=()
    ),
    ObjectKind.THREAD: ObjectTable(schema.threads, id_="id", body="body", to_row=_to_object_row, updated_columns=()),
    ObjectKind.MESSAGE: ObjectTable(
        schema.timeline, id_="message_id", body="message", to_row=_to_message_row, updated_columns=()
    ),
    ObjectKind.RUN: ObjectTable(schema.runs, id_="id", body="body", to_row=_to_run_row, updated_columns=("status",)),
    ObjectKind.STEP: ObjectTable(schema.steps, id_="id", body="body", to_row=_to_step_row, updated_columns=()),
    ObjectKind.FILE: ObjectTable(schema.files, id_="id", body="body", to_row=_to_file_row, updated_columns=()),
    ObjectKind.CONTAINER: ObjectTable(
        schema.containers, id_="id", body="body", to_row=_to_object_row, updated_columns=()
    ),
    ObjectKind.UPSTREAM_STATE: ObjectTable(
        schema.anchors, id_="id", body="body", to_row=_to_object_row, updated_columns=()
    ),
    ObjectKind.CLEANUP_INTENT: ObjectTable(
        schema.cleanup_intents, id_="id", body="body", to_row=_to_object_row, updated_columns=()
    ),
}


_BLOB = Statement(select(schema.files.c.seq).where(schema.files.c.blob == bindparam("blob")).limit(1))
_BLOB_OF_DIGEST = Statement(
    select(schema.files.c.blob)
    .where(
        schema.files.c.blob > bindparam("first"),
        schema.files.c.blob < bindparam("last"),
        schema.files.c.tenant == bindparam("of_tenant"),
    )
    .limit(1)
)


def uses_blob(connection: SqlConnection, blob: str) -> bool:
    """Whether any file of any tenant has these bytes."""
    return connection.fetch_one(_BLOB, {"blob": blob}) is not None


def find_blob(connection: SqlConnection, tenant: str, digest: str) -> str | None:
    """Where a file of the tenant has the bytes of this digest."""
    bounds = {"first": f"{digest}-", "last": f"{digest}."}  # the next character after the hyphen
    row = connection.fetch_one(_BLOB_OF_DIGEST, {"of_tenant": tenant, **bounds})
    return None if row is None else row[0]


def _delete_by_thread(table: Table) -> Statement:
    mine = (table.c.tenant == bindparam("of_tenant"), table.c.thread_id == bindparam("of_id"))
    return Statement(delete(table).where(*mine))


def _delete_by_runs(table: Table, *condition: Any) -> Statement:
    run_ids = select(schema.runs.c.id).where(schema.runs.c.tenant == bindparam("of_tenant"), *condition)
    mine = (table.c.tenant == bindparam("of_tenant"), table.c.run_id.in_(run_ids))
    return Statement(delete(table).where(*mine))


def _delete_by_id(table: Table) -> Statement:
    """What is kept of a thread under the thread's own id."""
    return Statement(delete(table).where(table.c.tenant == bindparam("of_tenant"), table.c.id == bindparam("of_id")))


#: What goes before the object itself goes, in this order.
_DEPENDENT_DELETES: Mapping[ObjectKind, tuple[Statement, ...]] = {
    ObjectKind.THREAD: (
        _delete_by_runs(schema.turns, schema.runs.c.thread_id == bindparam("of_id")),
        _delete_by_runs(schema.steps, schema.runs.c.thread_id == bindparam("of_id")),
        _delete_by_thread(schema.timeline),
        _delete_by_thread(schema.thread_sizes),
        _delete_by_thread(schema.runs),
        _delete_by_id(schema.containers),
        _delete_by_id(schema.anchors),
    ),
    ObjectKind.RUN: (_delete_by_runs(schema.turns, schema.runs.c.id == bindparam("of_id")),),
}


def remove(connection: SqlConnection, tenant: str, kind: ObjectKind, object_id: str) -> bool:
    """Remove the object and all that lives only with it; whether it was there."""
    for statement in _DEPENDENT_DELETES.get(kind, ()):
        connection.execute(statement, {"of_tenant": tenant, "of_id": object_id})
    return OBJECT_TABLES[kind].remove(connection, tenant, object_id)
