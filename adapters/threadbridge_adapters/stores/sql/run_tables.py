"""What a store knows of runs beyond their bodies: which one is active, who works on it, and its turns."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from sqlalchemy import bindparam, select, update

from threadbridge.ports import ClaimedRun, Kind, Lease, Turn, Wire
from threadbridge_adapters.stores.sql.compiled_statements import Statement, insertion
from threadbridge_adapters.stores.sql.json_codec import parsed, parsed_or_none, written, written_or_none
from threadbridge_adapters.stores.sql.object_tables import SHELVES, named, taken
from threadbridge_adapters.stores.sql.schema import ACTIVE, UNFINISHED, runs, turns

_ACTIVE_RUN = Statement(
    select(runs.c.body).where(runs.c.tenant == bindparam("tenant"), runs.c.thread_id == bindparam("thread_id"), ACTIVE)
)
_LAPSED = Statement(
    select(runs.c.id)
    .where(runs.c.tenant == bindparam("tenant"), UNFINISHED, runs.c.lease_until <= bindparam("lapsed_before"))
    .order_by(runs.c.seq)
    .limit(bindparam("limit"))
)
_ONE_RUN = (runs.c.tenant == bindparam("of_tenant"), runs.c.id == bindparam("of_id"))
_LEASE = Statement(select(runs.c.lease_owner, runs.c.lease_until).where(*_ONE_RUN))
_SET_LEASE = Statement(
    update(runs).where(*_ONE_RUN).values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
)
_CLAIMED = Statement(select(runs.c.body, runs.c.lease_owner, runs.c.lease_until).where(*_ONE_RUN))
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
_ADD_TURN = insertion(turns)
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


def active_run(driver: sqlite3.Connection, tenant: str, thread_id: str) -> Wire | None:
    """The run that locks the thread."""
    row = _ACTIVE_RUN.row(driver, {"tenant": tenant, "thread_id": thread_id})
    return None if row is None else parsed(row[0])


def unfinished(driver: sqlite3.Connection, tenant: str, *, lapsed_before: float, limit: int) -> Sequence[str]:
    """Ids of the oldest runs that need a worker and have none."""
    rows = _LAPSED.rows(driver, {"tenant": tenant, "lapsed_before": lapsed_before, "limit": limit})
    return [run_id for (run_id,) in rows]


def add_run(driver: sqlite3.Connection, tenant: str, run: Wire, lease: Lease | None) -> None:
    """A new run with its claim."""
    owner, until = _claim(lease)
    SHELVES[Kind.RUN].add(driver, tenant, run, lease_owner=owner, lease_until=until)


def claimed_run(driver: sqlite3.Connection, tenant: str, run_id: str) -> ClaimedRun | None:
    """A run and the claim on it."""
    row = _CLAIMED.row(driver, {"of_tenant": tenant, "of_id": run_id})
    if row is None:
        return None
    return ClaimedRun(parsed(row[0]), None if row[1] is None else Lease(owner=row[1], until=row[2]))


def put_run(driver: sqlite3.Connection, tenant: str, run: Wire, lease: Lease | None) -> None:
    """Replace a run and the claim on it."""
    owner, until = _claim(lease)
    values = {"new_body": written(run), "new_status": run["status"], "owner": owner, "until": until}
    try:
        changed = _PUT_RUN.run(driver, {"of_tenant": tenant, "of_id": run["id"], **values})
    except sqlite3.IntegrityError as exc:
        raise taken(named(run)) from exc
    if not changed:
        raise KeyError(run["id"])


def _claim(lease: Lease | None) -> tuple[str | None, float]:
    """Nobody's claim lapsed long ago."""
    return (None, 0.0) if lease is None else (lease.owner, lease.until)


def lease(driver: sqlite3.Connection, tenant: str, run_id: str) -> Lease | None:
    """The claim on a run; None where there is none."""
    row = _LEASE.row(driver, {"of_tenant": tenant, "of_id": run_id})
    return None if row is None or row[0] is None else Lease(owner=row[0], until=row[1])


def set_lease(driver: sqlite3.Connection, tenant: str, run_id: str, lease: Lease | None) -> None:
    """Write the claim down."""
    owner, until = _claim(lease)
    changed = _SET_LEASE.run(driver, {"of_tenant": tenant, "of_id": run_id, "owner": owner, "until": until})
    if not changed:
        raise KeyError(run_id)


def add_turn(driver: sqlite3.Connection, tenant: str, run_id: str, turn: Turn) -> None:
    """Record one turn."""
    row = {
        "tenant": tenant,
        "run_id": run_id,
        "number": turn.number,
        "response_id": turn.response_id,
        "request_id": turn.request_id,
        "model": turn.model,
        "usage": written_or_none(turn.usage),
        "report": written_or_none(turn.report),
        "nanodollars": turn.nanodollars,
    }
    try:
        _ADD_TURN.run(driver, row)
    except sqlite3.IntegrityError as exc:
        raise taken(f"Turn {turn.number} of {run_id}") from exc


def turns_of(driver: sqlite3.Connection, tenant: str, run_id: str) -> Sequence[Turn]:
    """The turns of one run by number."""
    rows = _TURNS.rows(driver, {"tenant": tenant, "run_id": run_id})
    return [
        Turn(number, response_id, request_id, model, parsed_or_none(usage), parsed_or_none(report), nanodollars)
        for number, response_id, request_id, model, usage, report, nanodollars in rows
    ]
