"""Answered requests, for repeats of them: by idempotency key, and the newest of each thread."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select

from threadbridge.ports import ObjectKind, RecordedRequest
from threadbridge_adapters.stores.sql.object_tables import decode_json, encode_json
from threadbridge_adapters.stores.sql.schema import keyed_requests, thread_sizes
from threadbridge_adapters.stores.sql.statements import SqlConnection, Statement, build_upsert

_COLUMNS = [keyed_requests.c[name] for name in RecordedRequest._fields]
_OF_TENANT = keyed_requests.c.tenant == bindparam("tenant")
_BY_KEY = Statement(select(*_COLUMNS).where(_OF_TENANT, keyed_requests.c.key == bindparam("key")))
_PUT_BY_KEY = build_upsert(
    keyed_requests, keys=("tenant", "key"), update=lambda new: {name: new[name] for name in RecordedRequest._fields}
)
_oldest_keys = (
    select(keyed_requests.c.key)
    .where(_OF_TENANT, keyed_requests.c.at < bindparam("answered_before"))
    .order_by(keyed_requests.c.at)
    .limit(bindparam("limit"))
)
_REMOVE_OLDEST = Statement(delete(keyed_requests).where(_OF_TENANT, keyed_requests.c.key.in_(_oldest_keys)))

_OF_THREAD = Statement(
    select(thread_sizes.c.requests).where(
        thread_sizes.c.tenant == bindparam("tenant"), thread_sizes.c.thread_id == bindparam("thread_id")
    )
)
_PUT_OF_THREAD = build_upsert(
    thread_sizes, keys=("tenant", "thread_id"), update=lambda new: {"requests": new["requests"]}
)


def get_keyed(connection: SqlConnection, tenant: str, key: str) -> RecordedRequest | None:
    """The request under an idempotency key, or None."""
    row = connection.fetch_one(_BY_KEY, {"tenant": tenant, "key": key})
    return None if row is None else _to_request(row)


def put_keyed(connection: SqlConnection, tenant: str, key: str, request: RecordedRequest) -> None:
    """Insert or replace the request under an idempotency key."""
    connection.execute(_PUT_BY_KEY, {"tenant": tenant, "key": key, **request._asdict(), "kind": request.kind.value})


def remove_keyed(connection: SqlConnection, tenant: str, *, answered_before: float, limit: int) -> int:
    """Remove the oldest requests; how many."""
    return connection.execute(_REMOVE_OLDEST, {"tenant": tenant, "answered_before": answered_before, "limit": limit})


def list_of_thread(connection: SqlConnection, tenant: str, thread_id: str) -> Sequence[RecordedRequest]:
    """The thread's newest requests."""
    row = connection.fetch_one(_OF_THREAD, {"tenant": tenant, "thread_id": thread_id})
    return [] if row is None or row[0] is None else [_to_request(values) for values in decode_json(row[0])["newest"]]


def put_of_thread(connection: SqlConnection, tenant: str, thread_id: str, requests: Sequence[RecordedRequest]) -> None:
    """Replace the thread's newest requests."""
    text = encode_json({"newest": [list(request) for request in requests]})
    size = {"messages": 0, "tokens": 0, "edits": 0}
    connection.execute(_PUT_OF_THREAD, {"tenant": tenant, "thread_id": thread_id, **size, "requests": text})


def _to_request(values: Sequence[object]) -> RecordedRequest:
    request = RecordedRequest._make(values)
    return request._replace(kind=ObjectKind(request.kind))
