"""Objects by id: the table of each kind, its statements, pages of objects, and the resources that objects name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

import orjson
from sqlalchemy import Column, ScalarSelect, Table, bindparam, delete, literal, select, update

from threadbridge.api_types import JsonMapping, is_json_list, is_json_object
from threadbridge.errors import Conflict, StoreError
from threadbridge.ports import Entry, ObjectKind, Page, PageRange
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

    def add_all(self, connection: SqlConnection, tenant: str, bodies: Sequence[JsonMapping]) -> None:
        """Insert rows in this order."""
        try:
            connection.execute_many(self._insert, [{"tenant": tenant, **self._to_row(body)} for body in bodies])
        except IntegrityViolation as exc:
            raise build_conflict(f"One of {', '.join(body['id'] for body in bodies[:10])} …") from exc

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
    ObjectKind.MESSAGE: ObjectTable(
        schema.timeline,
        id_="message_id",
        body="message",
        to_row=_to_message_row,
    ),
    ObjectKind.RUN: ObjectTable(
        schema.runs,
        to_row=lambda body: {
            **_to_object_row(body),
            "thread_id": body["thread_id"],
            "status": body["status"],
            "lease_owner": None,
            "lease_until": 0.0,
        },
        updated_columns=("status",),
    ),
    ObjectKind.STEP: ObjectTable(
        schema.steps,
        to_row=lambda body: {**_to_object_row(body), "thread_id": body["thread_id"], "run_id": body["run_id"]},
    ),
    ObjectKind.FILE: ObjectTable(schema.files, to_row=lambda body: {**_to_object_row(body), "blob": body["blob"]}),
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


#: The kinds of objects that have `tool_resources` of their own.
REFERENCING_KINDS = frozenset({ObjectKind.ASSISTANT, ObjectKind.THREAD})

_REFERENCES = schema.resource_references
_REFERENCES_OF_TENANT = _REFERENCES.c.tenant == bindparam("of_tenant")
_INSERT_REFERENCES = build_insert(_REFERENCES)
_DELETE_REFERENCES = Statement(
    delete(_REFERENCES).where(_REFERENCES_OF_TENANT, _REFERENCES.c.object_id == bindparam("of_id"))
)
_SELECT_REFERENCES = Statement(
    select(_REFERENCES.c.object_id)
    .where(_REFERENCES_OF_TENANT, _REFERENCES.c.resource_id == bindparam("of_resource"))
    .order_by(_REFERENCES.c.object_id)
    .limit(bindparam("row_limit"))
)


def add_references(connection: SqlConnection, tenant: str, body: JsonMapping) -> None:
    """Store the references of a new object; most have none."""
    for resource_id in _list_resource_ids(body):
        connection.execute(_INSERT_REFERENCES, {"tenant": tenant, "resource_id": resource_id, "object_id": body["id"]})


def replace_references(connection: SqlConnection, tenant: str, body: JsonMapping) -> None:
    """Store the references of a changed object."""
    remove_references(connection, tenant, body["id"])
    add_references(connection, tenant, body)


def remove_references(connection: SqlConnection, tenant: str, object_id: str) -> None:
    """Remove the references of an object."""
    connection.execute(_DELETE_REFERENCES, {"of_tenant": tenant, "of_id": object_id})


def list_referencing_objects(connection: SqlConnection, tenant: str, resource_id: str, limit: int) -> Sequence[str]:
    """The ids of the objects that name this resource, at most `limit`."""
    parameters = {"of_tenant": tenant, "of_resource": resource_id, "row_limit": limit}
    return [row[0] for row in connection.fetch_all(_SELECT_REFERENCES, parameters)]


def _list_resource_ids(body: JsonMapping) -> Collection[str]:
    """Everything that the resources list, whichever tool they belong to."""
    resources: JsonMapping = body.get("tool_resources") or {}
    lists = (ids for tool in resources.values() if is_json_object(tool) for ids in tool.values() if is_json_list(ids))
    return dict.fromkeys(each for ids in lists for each in ids if isinstance(each, str))


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
