"""`ports.Session` over one connection that is inside a transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Literal

from threadbridge.ports import (
    ClaimedRun,
    Entry,
    Kind,
    Lease,
    Page,
    Place,
    Refusal,
    Scope,
    Size,
    Spent,
    Tally,
    Turn,
    Weight,
    Wire,
)
from threadbridge_adapters.stores.sql import (
    object_tables,
    paging,
    parameter_rejections,
    run_tables,
    spending,
    timeline,
    token_counts,
)


class SqlSession:
    """`ports.Session`: one tenant's rows through one connection. Whoever made it ends the transaction."""

    __slots__ = ("_tenant", "driver")

    def __init__(self, driver: sqlite3.Connection, tenant: str) -> None:
        self.driver = driver
        self._tenant = tenant

    def add(self, kind: Kind, body: Wire) -> None:
        if kind is Kind.MESSAGE:
            self.append(body["thread_id"], [Entry(message=body)])
            return
        object_tables.SHELVES[kind].add(self.driver, self._tenant, body)

    def get(self, kind: Kind, object_id: str) -> Wire | None:
        return object_tables.SHELVES[kind].get(self.driver, self._tenant, object_id)

    def put(self, kind: Kind, body: Wire) -> None:
        if kind is Kind.MESSAGE:
            timeline.replace(self.driver, self._tenant, body)
            return
        object_tables.SHELVES[kind].put(self.driver, self._tenant, body)

    def remove(self, kind: Kind, object_id: str) -> bool:
        if kind is Kind.MESSAGE:
            return timeline.remove(self.driver, self._tenant, object_id)
        return object_tables.remove(self.driver, self._tenant, kind, object_id)

    def page(
        self,
        kind: Kind,
        *,
        limit: int,
        order: Literal["asc", "desc"],
        after: str | None = None,
        before: str | None = None,
        thread_id: str | None = None,
        run_id: str | None = None,
    ) -> Page:
        return paging.page(
            self.driver,
            self._tenant,
            kind,
            limit=limit,
            order=order,
            after=after,
            before=before,
            thread_id=thread_id,
            run_id=run_id,
        )

    def uses_blob(self, blob: str) -> bool:
        return object_tables.uses_blob(self.driver, blob)

    def blob_of(self, digest: str) -> str | None:
        return object_tables.blob_of(self.driver, self._tenant, digest)

    def active_run(self, thread_id: str) -> Wire | None:
        return run_tables.active_run(self.driver, self._tenant, thread_id)

    def append(self, thread_id: str, entries: Sequence[Entry]) -> None:
        timeline.append(self.driver, self._tenant, thread_id, entries)

    def timeline(self, thread_id: str, *, last_messages: int | None = None) -> Sequence[Entry]:
        return timeline.entries(self.driver, self._tenant, thread_id, last_messages=last_messages)

    def span(self, thread_id: str, *, first: int, last: int) -> Iterator[Entry]:
        return timeline.span(self.driver, self._tenant, thread_id, first=first, last=last)

    def places(
        self, thread_id: str, *, limit: int, newest_first: bool = False, beyond: int | None = None
    ) -> Sequence[Place]:
        return token_counts.places(
            self.driver, self._tenant, thread_id, limit=limit, newest_first=newest_first, beyond=beyond
        )

    def weigh(self, thread_id: str, position: int, weight: Weight) -> None:
        token_counts.weigh(self.driver, self._tenant, thread_id, position, weight)

    def size(self, thread_id: str) -> Size:
        return token_counts.size(self.driver, self._tenant, thread_id)

    def spend(self, day: int, spent: Spent, keys: Mapping[Scope, str]) -> None:
        spending.spend(self.driver, self._tenant, day, spent, keys)

    def spending(
        self, scope: Scope, *, since: int = 0, until: int | None = None, key: str | None = None
    ) -> Sequence[Tally]:
        return spending.tallies(self.driver, self._tenant, scope, since=since, until=until, key=key)

    def add_refusal(self, service: str, refusal: Refusal, *, most: int) -> None:
        parameter_rejections.add(self.driver, self._tenant, service, refusal, most=most)

    def refusals(self, service: str) -> Sequence[Refusal]:
        return parameter_rejections.of_service(self.driver, self._tenant, service)

    def items(self, run_id: str) -> Sequence[Wire]:
        return timeline.items(self.driver, self._tenant, run_id)

    def add_run(self, run: Wire, lease: Lease | None) -> None:
        run_tables.add_run(self.driver, self._tenant, run, lease)

    def claimed_run(self, run_id: str) -> ClaimedRun | None:
        return run_tables.claimed_run(self.driver, self._tenant, run_id)

    def put_run(self, run: Wire, lease: Lease | None) -> None:
        run_tables.put_run(self.driver, self._tenant, run, lease)

    def add_turn(self, run_id: str, turn: Turn) -> None:
        run_tables.add_turn(self.driver, self._tenant, run_id, turn)

    def turns(self, run_id: str) -> Sequence[Turn]:
        return run_tables.turns_of(self.driver, self._tenant, run_id)

    def lease(self, run_id: str) -> Lease | None:
        return run_tables.lease(self.driver, self._tenant, run_id)

    def unfinished_runs(self, *, lapsed_before: float, limit: int) -> Sequence[str]:
        return run_tables.unfinished(self.driver, self._tenant, lapsed_before=lapsed_before, limit=limit)

    def set_lease(self, run_id: str, lease: Lease | None) -> None:
        run_tables.set_lease(self.driver, self._tenant, run_id, lease)
