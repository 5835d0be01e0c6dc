"""What a store knows of runs beyond their bodies: which one is active, who works on it, and its turns."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select, update

from threadbridge.ports import Lease, ObjectKind, RunWithLease, Turn, Wire
from threadbridge_adapters.stores.sql.connection import IntegrityViolation, SqlConnection
from threadbridge_adapters.stores.sql.json_codec import (
    decode_json,
    decode_optional_json,
    encode_json,
    encode_optional_json,
)
from threadbridge_adapters.stores.sql.object_tables import OBJECT_TABLES, build_conflict, describe_object
from threadbridge_adapters.stores.sql.schema import IS_ACTIVE, IS_UNFINISHED, runs, turns
from threadbridge_adapters.stores.sql.statements import Statement, build_insert

_ACTIVE_RUN = Statement(
    select(runs.c.body).where(
        runs.c.tenant == bindparam("tenant"), runs.c.thread_id == bindparam("thread_id"), IS_ACTIVE
    )
)
_UNFINISHED_RUNS = Statement(
    select(runs.c.id)
    .where(runs.c.tenant == bindparam("tenant"), IS_UNFINISHED, runs.c.lease_until <= bindparam("lapsed_before"))
    .order_by(runs.c.seq)
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


def find_active_run(connection: SqlConnection, tenant: str, thread_id: str) -> Wire | None:
    """The run that locks the thread."""
    row = connection.fetch_one(_ACTIVE_RUN, {"tenant": tenant, "thread_id": thread_id})
    return None if row is None else decode_json(row[0])


def list_unfinished_runs(connection: SqlConnection, tenant: str, *, lapsed_before: float, limit: int) -> Sequence[str]:
    """Ids of the oldest runs that need a worker and have none."""
    rows = connection.fetch_all(_UNFINISHED_RUNS, {"tenant": tenant, "lapsed_before": lapsed_before, "limit": limit})
    return [run_id for (run_id,) in rows]


def add_run(connection: SqlConnection, tenant: str, run: Wire, lease: Lease | None) -> None:
    """A new run with its claim."""
    owner, until = _to_lease_columns(lease)
    OBJECT_TABLES[ObjectKind.RUN].add(connection, tenant, run, lease_owner=owner, lease_until=until)


def get_run_with_lease(connection: SqlConnection, tenant: str, run_id: str) -> RunWithLease | None:
    """A run and the claim on it."""
    row = connection.fetch_one(_RUN_WITH_LEASE, {"of_tenant": tenant, "of_id": run_id})
    if row is None:
        return None
    return RunWithLease(decode_json(row[0]), None if row[1] is None else Lease(owner=row[1], expires_at=row[2]))


def put_run(connection: SqlConnection, tenant: str, run: Wire, lease: Lease | None) -> None:
    """Replace a run and the claim on it."""
    owner, until = _to_lease_columns(lease)
    values = {"new_body": encode_json(run), "new_status": run["status"], "owner": owner, "until": until}
    try:
        changed = connection.execute(_PUT_RUN, {"of_tenant": tenant, "of_id": run["id"], **values})
    except IntegrityViolation as exc:
        raise build_conflict(describe_object(run)) from exc
    if not changed:
        raise KeyError(run["id"])


def _to_lease_columns(lease: Lease | None) -> tuple[str | None, float]:
    """Nobody's claim lapsed long ago."""
    return (None, 0.0) if lease is None else (lease.owner, lease.expires_at)


def get_lease(connection: SqlConnection, tenant: str, run_id: str) -> Lease | None:
    """The claim on a run; None where there is none."""
    row = connection.fetch_one(_LEASE, {"of_tenant": tenant, "of_id": run_id})
    return None if row is None or row[0] is None else Lease(owner=row[0], expires_at=row[1])


def set_lease(connection: SqlConnection, tenant: str, run_id: str, lease: Lease | None) -> None:
    """Write the claim down."""
    owner, until = _to_lease_columns(lease)
    changed = connection.execute(_SET_LEASE, {"of_tenant": tenant, "of_id": run_id, "owner": owner, "until": until})
    if not changed:
        raise KeyError(run_id)


def add_turn(connection: SqlConnection, tenant: str, run_id: str, turn: Turn) -> None:
    """Record one turn."""
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
