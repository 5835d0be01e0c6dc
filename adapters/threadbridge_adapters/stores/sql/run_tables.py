"""Columns and tables of runs besides their bodies: the active run of a thread, leases, turns, and abandoned runs."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, func, or_, select, union, update

from threadbridge.api_types import RunObject
from threadbridge.ports import Lease, ObjectKind, RunWithLease, Turn
from threadbridge_adapters.stores.sql.object_tables import (
    OBJECT_TABLES,
    build_conflict,
    build_object_conflict,
    decode_json,
    decode_optional_json,
    encode_json,
    encode_optional_json,
)
from threadbridge_adapters.stores.sql.schema import IS_ACTIVE, IS_UNFINISHED, cleanup_intents, runs, turns
from threadbridge_adapters.stores.sql.statements import IntegrityViolation, SqlConnection, Statement, build_insert

_ACTIVE_RUN = Statement(
    select(runs.c.body).where(
        runs.c.tenant == bindparam("tenant"), runs.c.thread_id == bindparam("thread_id"), IS_ACTIVE
    )
)
_IS_LEASE_EXPIRED = or_(
    runs.c.lease_until <= bindparam("lease_expired_before"), runs.c.lease_until > bindparam("latest_expiry")
)
_earlier_runs = runs.alias("earlier_runs")
_AFTER_RUN = runs.c.seq > func.coalesce(
    select(_earlier_runs.c.seq)
    .where(_earlier_runs.c.tenant == bindparam("tenant"), _earlier_runs.c.id == bindparam("after"))
    .scalar_subquery(),
    0,
)
_UNFINISHED_RUNS = Statement(
    select(runs.c.id)
    .where(runs.c.tenant == bindparam("tenant"), IS_UNFINISHED, _IS_LEASE_EXPIRED, _AFTER_RUN)
    .order_by(runs.c.seq)
    .limit(bindparam("limit"))
)
_TENANTS_TO_SWEEP = Statement(
    union(
        select(runs.c.tenant).where(runs.c.tenant > bindparam("after"), IS_UNFINISHED, _IS_LEASE_EXPIRED),
        select(cleanup_intents.c.tenant).where(cleanup_intents.c.tenant > bindparam("after")),
    )
    .order_by("tenant")
    .limit(bindparam("limit"))
)
_ONE_RUN = (runs.c.tenant == bindparam("of_tenant"), runs.c.id == bindparam("of_id"))
_LEASE = Statement(select(runs.c.lease_owner, runs.c.lease_until).where(*_ONE_RUN))
_SET_LEASE = Statement(
    update(runs).where(*_ONE_RUN).values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
)
_RUN_WITH_LEASE = Statement(select(runs.c.body, runs.c.lease_owner, runs.c.lease_until).where(*_ONE_RUN))
_PUT_RUN = Statement(
    update(runs)
    .where(*_ONE_RUN)
    .values(
        body=bindparam("new_body"),
        status=bindparam("new_status"),
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
    )
)
_ADD_TURN = build_insert(turns)
_TURNS = Statement(
    select(
        turns.c.number,
        turns.c.response_id,
        turns.c.request_id,
        turns.c.model,
        turns.c.usage,
        turns.c.report,
        turns.c.nanodollars,
    )
    .where(turns.c.tenant == bindparam("tenant"), turns.c.run_id == bindparam("run_id"))
    .order_by(turns.c.number)
)


def get_active_run(connection: SqlConnection, tenant: str, thread_id: str) -> RunObject | None:
    """The run that locks the thread, or None."""
    row = connection.fetch_one(_ACTIVE_RUN, {"tenant": tenant, "thread_id": thread_id})
    return None if row is None else decode_json(row[0])


def list_unfinished_runs(
    connection: SqlConnection,
    tenant: str,
    *,
    lease_expired_before: float,
    latest_expiry: float,
    limit: int,
    after: str | None,
) -> Sequence[str]:
    """Ids of the oldest unfinished runs whose lease expired before a time, or expires too late to be valid."""
    values = {
        "tenant": tenant,
        "lease_expired_before": lease_expired_before,
        "latest_expiry": latest_expiry,
        "after": after,
        "limit": limit,
    }
    return [run_id for (run_id,) in connection.fetch_all(_UNFINISHED_RUNS, values)]


def list_tenants_to_sweep(
    connection: SqlConnection, *, lease_expired_before: float, latest_expiry: float, limit: int, after: str | None
) -> Sequence[str]:
    """Tenants with such runs or with cleanup intents. Both parts of the union are read in the order of an index."""
    values = {
        "after": after or "",
        "lease_expired_before": lease_expired_before,
        "latest_expiry": latest_expiry,
        "limit": limit,
    }
    return [tenant for (tenant,) in connection.fetch_all(_TENANTS_TO_SWEEP, values)]


def add_run(connection: SqlConnection, tenant: str, run: RunObject, lease: Lease | None) -> None:
    """Insert a run with its lease."""
    owner, until = _to_lease_columns(lease)
    OBJECT_TABLES[ObjectKind.RUN].add(connection, tenant, run, lease_owner=owner, lease_until=until)


def get_run_with_lease(connection: SqlConnection, tenant: str, run_id: str) -> RunWithLease | None:
    """The run with its lease, or None."""
    row = connection.fetch_one(_RUN_WITH_LEASE, {"of_tenant": tenant, "of_id": run_id})
    return None if row is None else RunWithLease(decode_json(row[0]), _to_lease(row[1], row[2]))


def put_run(connection: SqlConnection, tenant: str, run: RunObject, lease: Lease | None) -> None:
    """Replace a run and its lease. Raises KeyError for an unknown run."""
    owner, until = _to_lease_columns(lease)
    values = {"new_body": encode_json(run), "new_status": run["status"], "owner": owner, "until": until}
    try:
        changed = connection.execute(_PUT_RUN, {"of_tenant": tenant, "of_id": run["id"], **values})
    except IntegrityViolation as exc:
        raise build_object_conflict(run) from exc
    if not changed:
        raise KeyError(run["id"])


def get_lease(connection: SqlConnection, tenant: str, run_id: str) -> Lease | None:
    """The lease of the run, or None."""
    row = connection.fetch_one(_LEASE, {"of_tenant": tenant, "of_id": run_id})
    return None if row is None else _to_lease(*row)


def set_lease(connection: SqlConnection, tenant: str, run_id: str, lease: Lease | None) -> None:
    """Replace the lease of the run. Raises KeyError for an unknown run."""
    owner, until = _to_lease_columns(lease)
    changed = connection.execute(_SET_LEASE, {"of_tenant": tenant, "of_id": run_id, "owner": owner, "until": until})
    if not changed:
        raise KeyError(run_id)


def _to_lease_columns(lease: Lease | None) -> tuple[str | None, float]:
    """Owner and expiry; without a lease the expiry is in the past."""
    return (None, 0.0) if lease is None else (lease.owner, lease.expires_at)


def _to_lease(owner: str | None, expires_at: float) -> Lease | None:
    return None if owner is None else Lease(owner, expires_at)


def add_turn(connection: SqlConnection, tenant: str, run_id: str, turn: Turn) -> None:
    """Insert a turn. Raises Conflict if the run has a turn of that number."""
    row = {
        "tenant": tenant,
        "run_id": run_id,
        "number": turn.number,
        "response_id": turn.response_id,
        "request_id": turn.request_id,
        "model": turn.model,
        "usage": encode_optional_json(turn.usage),
        "report": encode_optional_json(turn.report),
        "nanodollars": turn.nanodollars,
    }
    try:
        connection.execute(_ADD_TURN, row)
    except IntegrityViolation as exc:
        raise build_conflict(f"Turn {turn.number} of {run_id}") from exc


def list_turns(connection: SqlConnection, tenant: str, run_id: str) -> Sequence[Turn]:
    """The turns of one run by number."""
    rows = connection.fetch_all(_TURNS, {"tenant": tenant, "run_id": run_id})
    return [
        Turn(
            number,
            response_id,
            request_id,
            model,
            decode_optional_json(usage),
            decode_optional_json(report),
            nanodollars,
        )
        for number, response_id, request_id, model, usage, report, nanodollars in rows
    ]
