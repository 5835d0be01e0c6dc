"""`ports.Session` over one connection that is inside a transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Unpack

from threadbridge.api_types import InputItem, JsonMapping, RunObject
from threadbridge.ports import (
    Entry,
    Lease,
    ObjectKind,
    Page,
    PageRange,
    ParameterRejection,
    RecordedRequest,
    RunWithLease,
    SpendByKey,
    SpendScope,
    SpendTotals,
    ThreadMark,
    ThreadSize,
    TimelinePosition,
    TokenCount,
    Turn,
)
from threadbridge.ports.store import FAR_FUTURE
from threadbridge_adapters.stores.sql import (
    object_tables,
    parameter_rejections,
    request_records,
    run_tables,
    spending,
    thread_marks,
    timeline,
)
from threadbridge_adapters.stores.sql.statements import SqlConnection


class SqlSession:
    """`ports.Session`: the rows of one tenant through one connection. Its creator ends the transaction.

    Objects are returned as Any: the overloads of the port determine their types.
    """

    __slots__ = ("_tenant", "connection")

    def __init__(self, connection: SqlConnection, tenant: str) -> None:
        self.connection = connection
        self._tenant = tenant

    def add(self, kind: ObjectKind, body: JsonMapping) -> None:
        if kind is ObjectKind.MESSAGE:
            row: Any = body
            self.append_entries(row["thread_id"], [Entry(message=row)])
            return
        object_tables.OBJECT_TABLES[kind].add(self.connection, self._tenant, body)
        if kind in object_tables.REFERENCING_KINDS:
            object_tables.add_references(self.connection, self._tenant, body)

    def add_all(self, kind: ObjectKind, bodies: Sequence[JsonMapping]) -> None:
        if kind is ObjectKind.MESSAGE or kind in object_tables.REFERENCING_KINDS:
            for body in bodies:
                self.add(kind, body)
        else:
            object_tables.OBJECT_TABLES[kind].add_all(self.connection, self._tenant, bodies)

    def get(self, kind: ObjectKind, object_id: str) -> Any:
        return object_tables.OBJECT_TABLES[kind].get(self.connection, self._tenant, object_id)

    def put(self, kind: ObjectKind, body: JsonMapping) -> None:
        if kind is ObjectKind.MESSAGE:
            timeline.put_message(self.connection, self._tenant, body)
            return
        object_tables.OBJECT_TABLES[kind].put(self.connection, self._tenant, body)
        if kind in object_tables.REFERENCING_KINDS:
            object_tables.replace_references(self.connection, self._tenant, body)

    def remove(self, kind: ObjectKind, object_id: str) -> bool:
        if kind is ObjectKind.MESSAGE:
            return timeline.remove_message(self.connection, self._tenant, object_id)
        if kind in object_tables.REFERENCING_KINDS:
            object_tables.remove_references(self.connection, self._tenant, object_id)
        return object_tables.remove(self.connection, self._tenant, kind, object_id)

    def get_page(self, kind: ObjectKind, **page: Unpack[PageRange]) -> Page[Any]:
        return object_tables.fetch_page(self.connection, self._tenant, kind, page)

    def list_referencing_objects(self, resource_id: str, *, limit: int) -> Sequence[str]:
        return object_tables.list_referencing_objects(self.connection, self._tenant, resource_id, limit)

    def is_blob_referenced(self, blob_name: str) -> bool:
        return object_tables.is_blob_referenced(self.connection, blob_name)

    def find_blob_name(self, digest: str) -> str | None:
        return object_tables.find_blob(self.connection, self._tenant, digest)

    def get_active_run(self, thread_id: str) -> RunObject | None:
        return run_tables.get_active_run(self.connection, self._tenant, thread_id)

    def append_entries(self, thread_id: str, entries: Sequence[Entry]) -> None:
        timeline.append_entries(self.connection, self._tenant, thread_id, entries)

    def list_entries(self, thread_id: str, *, last_messages: int | None = None) -> Sequence[Entry]:
        return timeline.list_entries(self.connection, self._tenant, thread_id, last_messages=last_messages)

    def iterate_entries(self, thread_id: str, *, first: int, last: int) -> Iterator[Entry]:
        return timeline.iterate_entries(self.connection, self._tenant, thread_id, first=first, last=last)

    def list_positions(
        self, thread_id: str, *, limit: int, newest_first: bool = False, after_position: int | None = None
    ) -> Sequence[TimelinePosition]:
        return timeline.list_positions(
            self.connection, self._tenant, thread_id, limit=limit, newest_first=newest_first, beyond=after_position
        )

    def set_token_count(self, thread_id: str, position: int, token_count: TokenCount) -> None:
        timeline.set_token_count(self.connection, self._tenant, thread_id, position, token_count)

    def get_thread_size(self, thread_id: str) -> ThreadSize:
        return timeline.get_size(self.connection, self._tenant, thread_id)

    def list_run_items(self, run_id: str) -> Sequence[InputItem]:
        return timeline.list_items(self.connection, self._tenant, run_id)

    def add_spending(self, day: int, totals: SpendTotals, keys: Mapping[SpendScope, str]) -> None:
        spending.add_spending(self.connection, self._tenant, day, totals, keys)

    def list_spending(
        self, scope: SpendScope, *, since: int = 0, until: int | None = None, key: str | None = None
    ) -> Sequence[SpendByKey]:
        return spending.sum_spending(self.connection, self._tenant, scope, since=since, until=until, key=key)

    def add_parameter_rejection(self, upstream: str, rejection: ParameterRejection, *, max_count: int) -> None:
        parameter_rejections.add_rejection(self.connection, self._tenant, upstream, rejection, limit=max_count)

    def list_parameter_rejections(self, upstream: str) -> Sequence[ParameterRejection]:
        return parameter_rejections.list_rejections(self.connection, self._tenant, upstream)

    def put_thread_mark(self, thread_id: str, mark: ThreadMark) -> None:
        thread_marks.put_mark(self.connection, self._tenant, thread_id, mark)

    def get_thread_mark(self, thread_id: str) -> ThreadMark | None:
        return thread_marks.get_mark(self.connection, self._tenant, thread_id)

    def count_thread_marks(self, mark: ThreadMark) -> int:
        return thread_marks.count_marks(self.connection, self._tenant, mark)

    def get_keyed_request(self, key: str) -> RecordedRequest | None:
        return request_records.get_keyed(self.connection, self._tenant, key)

    def put_keyed_request(self, key: str, request: RecordedRequest) -> None:
        request_records.put_keyed(self.connection, self._tenant, key, request)

    def remove_keyed_requests(self, *, answered_before: float, limit: int) -> int:
        return request_records.remove_keyed(self.connection, self._tenant, answered_before=answered_before, limit=limit)

    def list_thread_requests(self, thread_id: str) -> Sequence[RecordedRequest]:
        return request_records.list_of_thread(self.connection, self._tenant, thread_id)

    def put_thread_requests(self, thread_id: str, requests: Sequence[RecordedRequest]) -> None:
        request_records.put_of_thread(self.connection, self._tenant, thread_id, requests)

    def add_run(self, run: RunObject, lease: Lease | None) -> None:
        run_tables.add_run(self.connection, self._tenant, run, lease)

    def get_run_with_lease(self, run_id: str) -> RunWithLease | None:
        return run_tables.get_run_with_lease(self.connection, self._tenant, run_id)

    def put_run(self, run: RunObject, lease: Lease | None) -> None:
        run_tables.put_run(self.connection, self._tenant, run, lease)

    def add_turn(self, run_id: str, turn: Turn) -> None:
        run_tables.add_turn(self.connection, self._tenant, run_id, turn)

    def list_turns(self, run_id: str) -> Sequence[Turn]:
        return run_tables.list_turns(self.connection, self._tenant, run_id)

    def get_lease(self, run_id: str) -> Lease | None:
        return run_tables.get_lease(self.connection, self._tenant, run_id)

    def list_unfinished_runs(
        self, *, lease_expired_before: float, limit: int, latest_expiry: float = FAR_FUTURE, after: str | None = None
    ) -> Sequence[str]:
        return run_tables.list_unfinished_runs(
            self.connection,
            self._tenant,
            lease_expired_before=lease_expired_before,
            latest_expiry=latest_expiry,
            limit=limit,
            after=after,
        )

    def list_tenants_to_sweep(
        self, *, lease_expired_before: float, limit: int, latest_expiry: float = FAR_FUTURE, after: str | None = None
    ) -> Sequence[str]:
        return run_tables.list_tenants_to_sweep(
            self.connection,
            lease_expired_before=lease_expired_before,
            latest_expiry=latest_expiry,
            limit=limit,
            after=after,
        )

    def set_lease(self, run_id: str, lease: Lease | None) -> None:
        run_tables.set_lease(self.connection, self._tenant, run_id, lease)
