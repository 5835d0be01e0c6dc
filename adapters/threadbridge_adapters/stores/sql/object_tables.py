"""Objects by id: where each kind is kept, and the statements that add, read, replace and remove one."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Column, Table, bindparam, delete, select, update

from threadbridge.errors import Conflict
from threadbridge.ports import Entry, Kind, Wire
from threadbridge_adapters.stores.sql import schema
from threadbridge_adapters.stores.sql.compiled_statements import Statement, insertion
from threadbridge_adapters.stores.sql.json_codec import parsed, written

#: The values of one row by column name.
Row = dict[str, Any]


def taken(what: str) -> Conflict:
    """Why a unique index refused a row, in one sentence."""
    return Conflict(f"{what} already exists.")


class Shelf:
    """Where the objects of one kind are kept, and what is done with one of them. Made once per kind."""

    def __init__(self, table: Table, *, body: str, id_: str, row: Callable[[Wire], Row], kept: tuple[str, ...]) -> None:
        self.table = table
        self.id: Column[str] = table.c[id_]
        self.body: Column[str] = table.c[body]
        self._row = row
        self._kept = (*kept, body)
        mine = (table.c.tenant == bindparam("of_tenant"), self.id == bindparam("of_id"))
        self._insert = insertion(table)
        self._select = Statement(select(self.body).where(*mine))
        replacing: dict[str, Any] = {name: bindparam(f"new_{name}") for name in self._kept}
        self._update = Statement(update(table).where(*mine).values(replacing))
        self._delete = Statement(delete(table).where(*mine))

    def add(self, driver: sqlite3.Connection, tenant: str, body: Wire, **columns: object) -> None:
        """Insert a row; `columns` are those that the body does not tell."""
        try:
            self._insert.run(driver, {"tenant": tenant, **self._row(body), **columns})
        except sqlite3.IntegrityError as exc:
            raise taken(named(body)) from exc

    def get(self, driver: sqlite3.Connection, tenant: str, object_id: str) -> Wire | None:
        row = self._select.row(driver, {"of_tenant": tenant, "of_id": object_id})
        return None if row is None else parsed(row[0])

    def put(self, driver: sqlite3.Connection, tenant: str, body: Wire) -> None:
        row = self._row(body)
        values = {f"new_{name}": row[name] for name in self._kept}
        try:
            changed = self._update.run(driver, {"of_tenant": tenant, "of_id": body["id"], **values})
        except sqlite3.IntegrityError as exc:
            raise taken(named(body)) from exc
        if not changed:
            raise KeyError(body["id"])

    def remove(self, driver: sqlite3.Connection, tenant: str, object_id: str) -> bool:
        return bool(self._delete.run(driver, {"of_tenant": tenant, "of_id": object_id}))


def named(body: Wire) -> str:
    """What to call an object whose row is refused."""
    locks = f", or an active run of {body['thread_id']}," if "status" in body and "thread_id" in body else ""
    return f"{body['id']}{locks}"


def _plain_row(body: Wire) -> Row:
    return {"id": body["id"], "created_at": body.get("created_at"), "body": written(body)}


def _file_row(body: Wire) -> Row:
    return {**_plain_row(body), "blob": body["blob"]}


def _run_row(body: Wire) -> Row:
    return {
        **_plain_row(body),
        "thread_id": body["thread_id"],
        "status": body["status"],
        "lease_owner": None,
        "lease_until": 0.0,
    }


def _step_row(body: Wire) -> Row:
    return {**_plain_row(body), "thread_id": body["thread_id"], "run_id": body["run_id"]}


def entry_row(thread_id: str, entry: Entry) -> Row:
    """One line of a timeline; a message's own run is found where the entry names none."""
    message, item, weight = entry.message, entry.item, entry.weight
    run_id = entry.run_id if entry.run_id is not None or message is None else message.get("run_id")
    return {
        "thread_id": thread_id,
        "run_id": run_id,
        "message_id": None if message is None else message["id"],
        "message": None if message is None else written(message),
        "item": None if item is None else written(item),
        "sort": None if weight is None else weight.sort.value,
        "tokens": None if weight is None else weight.tokens,
    }


def _message_row(body: Wire) -> Row:
    return entry_row(body["thread_id"], Entry(message=body))


SHELVES: Mapping[Kind, Shelf] = {
    Kind.ASSISTANT: Shelf(schema.assistants, id_="id", body="body", row=_plain_row, kept=()),
    Kind.THREAD: Shelf(schema.threads, id_="id", body="body", row=_plain_row, kept=()),
    Kind.MESSAGE: Shelf(schema.timeline, id_="message_id", body="message", row=_message_row, kept=()),
    Kind.RUN: Shelf(schema.runs, id_="id", body="body", row=_run_row, kept=("status",)),
    Kind.STEP: Shelf(schema.steps, id_="id", body="body", row=_step_row, kept=()),
    Kind.FILE: Shelf(schema.files, id_="id", body="body", row=_file_row, kept=()),
    Kind.CONTAINER: Shelf(schema.containers, id_="id", body="body", row=_plain_row, kept=()),
    Kind.ANCHOR: Shelf(schema.anchors, id_="id", body="body", row=_plain_row, kept=()),
    Kind.ERRAND: Shelf(schema.errands, id_="id", body="body", row=_plain_row, kept=()),
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


def uses_blob(driver: sqlite3.Connection, blob: str) -> bool:
    """Whether any file of any tenant has these bytes."""
    return _BLOB.row(driver, {"blob": blob}) is not None


def blob_of(driver: sqlite3.Connection, tenant: str, digest: str) -> str | None:
    """Where a file of the tenant has the bytes of this digest."""
    bounds = {"first": f"{digest}-", "last": f"{digest}."}  # the next character after the hyphen
    row = _BLOB_OF_DIGEST.row(driver, {"of_tenant": tenant, **bounds})
    return None if row is None else row[0]


def _of_thread(table: Table) -> Statement:
    mine = (table.c.tenant == bindparam("of_tenant"), table.c.thread_id == bindparam("of_id"))
    return Statement(delete(table).where(*mine))


def _of_runs(table: Table, *condition: Any) -> Statement:
    run_ids = select(schema.runs.c.id).where(schema.runs.c.tenant == bindparam("of_tenant"), *condition)
    mine = (table.c.tenant == bindparam("of_tenant"), table.c.run_id.in_(run_ids))
    return Statement(delete(table).where(*mine))


def _under_its_id(table: Table) -> Statement:
    """What is kept of a thread under the thread's own id."""
    return Statement(delete(table).where(table.c.tenant == bindparam("of_tenant"), table.c.id == bindparam("of_id")))


#: What goes before the object itself goes, in this order.
_TAKEN_ALONG: Mapping[Kind, tuple[Statement, ...]] = {
    Kind.THREAD: (
        _of_runs(schema.turns, schema.runs.c.thread_id == bindparam("of_id")),
        _of_runs(schema.steps, schema.runs.c.thread_id == bindparam("of_id")),
        _of_thread(schema.timeline),
        _of_thread(schema.thread_sizes),
        _of_thread(schema.runs),
        _under_its_id(schema.containers),
        _under_its_id(schema.anchors),
    ),
    Kind.RUN: (_of_runs(schema.turns, schema.runs.c.id == bindparam("of_id")),),
}


def remove(driver: sqlite3.Connection, tenant: str, kind: Kind, object_id: str) -> bool:
    """Remove the object and all that lives only with it; whether it was there."""
    for statement in _TAKEN_ALONG.get(kind, ()):
        statement.run(driver, {"of_tenant": tenant, "of_id": object_id})
    return SHELVES[kind].remove(driver, tenant, object_id)
