"""Objects by id: the table of each kind, and the statements that add, read, replace and remove an object."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import orjson
from sqlalchemy import Column, Table, bindparam, delete, select, update

from threadbridge.api_types import JsonMapping
from threadbridge.errors import Conflict, StoreError
from threadbridge.ports import Entry, ObjectKind
from threadbridge_adapters.stores.sql import schema
from threadbridge_adapters.stores.sql.statements import IntegrityViolation, SqlConnection, Statement, build_insert

#: The values of one row by column name.
Row = dict[str, Any]


def encode_json(body: JsonMapping) -> str:
    """The object as JSON text, with its order of keys.

    Raises StoreError for what JSON cannot carry (half a surrogate pair, huge integers).
    """
    try:
        return orjson.dumps(body).decode()
    except orjson.JSONEncodeError as exc:
        raise StoreError(f"{body.get('id', 'an object')} cannot be stored as JSON: {exc}") from exc


def encode_optional_json(body: JsonMapping | None) -> str | None:
    """The object as JSON text, None for None."""
    return None if body is None else encode_json(body)


def decode_json(text: str) -> Any:
    """The object as a new dictionary. Any: its type follows from the kind of the row (`ports.Session`)."""
    return orjson.loads(text)


def decode_optional_json(text: str | None) -> Any:
    """The object as a new dictionary, None for None."""
    return None if text is None else orjson.loads(text)


def build_conflict(name: str) -> Conflict:
    """The error for a row that a unique index rejected."""
    return Conflict(f"{name} already exists.")


def build_object_conflict(body: JsonMapping) -> Conflict:
    """The same for an object; a run may also be rejected because another run of its thread is active."""
    locks = f", or an active run of {body['thread_id']}," if "status" in body and "thread_id" in body else ""
    return build_conflict(f"{body['id']}{locks}")


class ObjectTable:
    """The table of one kind of object, and its statements for one object. Created once per kind."""

    def __init__(
        self,
        table: Table,
        *,
        body: str = "body",
        id_: str = "id",
        to_row: Callable[[JsonMapping], Row],
        updated_columns: tuple[str, ...] = (),
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

    def add(self, connection: SqlConnection, tenant: str, body: JsonMapping, **columns: object) -> None:
        """Insert a row; `columns` replace values that do not come from the body."""
        try:
            connection.execute(self._insert, {"tenant": tenant, **self._to_row(body), **columns})
        except IntegrityViolation as exc:
            raise build_object_conflict(body) from exc

    def get(self, connection: SqlConnection, tenant: str, object_id: str) -> Any:
        """The object, or None."""
        row = connection.fetch_one(self._select, {"of_tenant": tenant, "of_id": object_id})
        return None if row is None else decode_json(row[0])

    def put(self, connection: SqlConnection, tenant: str, body: JsonMapping) -> None:
        """Replace the object. Raises KeyError for an unknown one."""
        row = self._to_row(body)
        values = {f"new_{name}": row[name] for name in self._updated_columns}
        try:
            changed = connection.execute(self._update, {"of_tenant": tenant, "of_id": body["id"], **values})
        except IntegrityViolation as exc:
            raise build_object_conflict(body) from exc
        if not changed:
            raise KeyError(body["id"])

    def remove(self, connection: SqlConnection, tenant: str, object_id: str) -> bool:
        """Remove the object alone. False if unknown."""
        return bool(connection.execute(self._delete, {"of_tenant": tenant, "of_id": object_id}))


def _to_object_row(body: JsonMapping) -> Row:
    return {"id": body["id"], "created_at": body.get("created_at"), "body": encode_json(body)}


def _to_file_row(body: JsonMapping) -> Row:
    return {**_to_object_row(body), "blob": body["blob"]}


def _to_run_row(body: JsonMapping) -> Row:
    owned = {"thread_id": body["thread_id"], "status": body["status"], "lease_owner": None, "lease_until": 0.0}
    return {**_to_object_row(body), **owned}


def _to_step_row(body: JsonMapping) -> Row:
    return {**_to_object_row(body), "thread_id": body["thread_id"], "run_id": body["run_id"]}


def _to_message_row(body: Any) -> Row:
    return to_timeline_row(body["thread_id"], Entry(message=body))


def to_timeline_row(thread_id: str, entry: Entry) -> Row:
    """The row of one entry. If the entry names no run, the run is that of its message."""
    message, item, token_count = entry.message, entry.item, entry.token_count
    run_id = entry.run_id if entry.run_id is not None or message is None else message.get("run_id")
    return {
        "thread_id": thread_id,
        "run_id": run_id,
        "message_id": None if message is None else message["id"],
        "message": encode_optional_json(message),
        "item": encode_optional_json(item),
        "sort": None if token_count is None else token_count.role.value,
        "tokens": None if token_count is None else token_count.tokens,
    }


OBJECT_TABLES: Mapping[ObjectKind, ObjectTable] = {
    ObjectKind.ASSISTANT: ObjectTable(schema.assistants, to_row=_to_object_row),
    ObjectKind.THREAD: ObjectTable(schema.threads, to_row=_to_object_row),
    ObjectKind.MESSAGE: ObjectTable(schema.timeline, id_="message_id", body="message", to_row=_to_message_row),
    ObjectKind.RUN: ObjectTable(schema.runs, to_row=_to_run_row, updated_columns=("status",)),
    ObjectKind.STEP: ObjectTable(schema.steps, to_row=_to_step_row),
    ObjectKind.FILE: ObjectTable(schema.files, to_row=_to_file_row),
    ObjectKind.CONTAINER: ObjectTable(schema.containers, to_row=_to_object_row),
    ObjectKind.UPSTREAM_STATE: ObjectTable(schema.anchors, to_row=_to_object_row),
    ObjectKind.CLEANUP_INTENT: ObjectTable(schema.cleanup_intents, to_row=_to_object_row),
}


_FILE_WITH_BLOB = Statement(select(schema.files.c.seq).where(schema.files.c.blob == bindparam("blob")).limit(1))
_BLOB_BY_DIGEST = Statement(
    select(schema.files.c.blob)
    .where(
        schema.files.c.blob > bindparam("first"),
        schema.files.c.blob < bindparam("last"),
        schema.files.c.tenant == bindparam("of_tenant"),
    )
    .limit(1)
)


def is_blob_referenced(connection: SqlConnection, blob: str) -> bool:
    """Whether a file of any tenant has this blob."""
    return connection.fetch_one(_FILE_WITH_BLOB, {"blob": blob}) is not None


def find_blob(connection: SqlConnection, tenant: str, digest: str) -> str | None:
    """The blob of a file of the tenant with this digest, or None."""
    bounds = {"first": f"{digest}-", "last": f"{digest}."}  # the next character after the hyphen
    row = connection.fetch_one(_BLOB_BY_DIGEST, {"of_tenant": tenant, **bounds})
    return None if row is None else row[0]


def _delete_by(table: Table, column: str) -> Statement:
    """Delete the rows whose column has the id of the removed object."""
    return Statement(
        delete(table).where(table.c.tenant == bindparam("of_tenant"), table.c[column] == bindparam("of_id"))
    )


def _delete_by_runs(table: Table, condition: Any) -> Statement:
    run_ids = select(schema.runs.c.id).where(schema.runs.c.tenant == bindparam("of_tenant"), condition)
    return Statement(delete(table).where(table.c.tenant == bindparam("of_tenant"), table.c.run_id.in_(run_ids)))


#: The rows that are removed before the object itself, in this order.
_DEPENDENT_DELETES: Mapping[ObjectKind, tuple[Statement, ...]] = {
    ObjectKind.THREAD: (
        _delete_by_runs(schema.turns, schema.runs.c.thread_id == bindparam("of_id")),
        _delete_by_runs(schema.steps, schema.runs.c.thread_id == bindparam("of_id")),
        _delete_by(schema.timeline, "thread_id"),
        _delete_by(schema.thread_sizes, "thread_id"),
        _delete_by(schema.runs, "thread_id"),
        _delete_by(schema.containers, "id"),
        _delete_by(schema.anchors, "id"),
    ),
    ObjectKind.RUN: (_delete_by_runs(schema.turns, schema.runs.c.id == bindparam("of_id")),),
}


def remove(connection: SqlConnection, tenant: str, kind: ObjectKind, object_id: str) -> bool:
    """Remove the object and every row that depends on it. False if unknown."""
    for statement in _DEPENDENT_DELETES.get(kind, ()):
        connection.execute(statement, {"of_tenant": tenant, "of_id": object_id})
    return OBJECT_TABLES[kind].remove(connection, tenant, object_id)
