"""What a store knows of runs beyond their bodies: which one is active, who works on it, and its turns."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, insert, select, update

from threadbridge.ports import ClaimedRun, Kind, Lease, Turn, Wire
from threadbridge_adapters.stores.bodies import parsed, parsed_or_none, written, written_or_none
from threadbridge_adapters.stores.objects import SHELVES, named, unless_taken
from threadbridge_adapters.stores.schema import ACTIVE, UNFINISHED, runs, turns

_ACTIVE_RUN = select(runs.c.body).where(
    runs.c.tenant == bindparam("tenant"), runs.c.thread_id == bindparam("thread_id"), ACTIVE
)
_LAPSED = (
    select(runs.c.tenant, runs.c.id)
    .where(UNFINISHED, runs.c.lease_until <= bindparam("lapsed_before"))
    .order_by(runs.c.seq)
    .limit(bindparam("limit"))
)
_ONE_RUN = (runs.c.tenant == bindparam("of_tenant"), runs.c.id == bindparam("of_id"))
_LEASE = select(runs.c.lease_owner, runs.c.lease_until).where(*_ONE_RUN)
_SET_LEASE = update(runs).where(*_ONE_RUN).values(lease_owner=bindparam("owner"), lease_until=bindparam("until"))
_CLAIMED = select(runs.c.body, runs.c.lease_owner, runs.c.lease_until).where(*_ONE_RUN)
_PUT_RUN = (
    update(runs)
    .where(*_ONE_RUN)
    .values(
        body=bindparam("new_body"),
        status=bindparam("new_status"),
        lease_owner=bindparam("owner"),
        lease_until=bindparam("until"),
    )
)
_ADD_TURN = insert(turns)
_TURNS = (
    select(turns.c.number, turns.c.response_id, turns.c.request_id, turns.c.model, turns.c.usage)
    .where(turns.c.tenant == bindparam("tenant"), turns.c.run_id == bindparam("run_id"))
    .order_by(turns.c.number)
)


def active_run(connection: Connection, tenant: str, thread_id: str) -> Wire | None:
    """The run that locks the thread."""
    return parsed_or_none(connection.execute(_ACTIVE_RUN, {"tenant": tenant, "thread_id": thread_id}).scalar())


def lapsed(connection: Connection, *, before: float, limit: int) -> Sequence[tuple[str, str]]:
    """(tenant, run id) of the oldest runs that need a worker and have none, of every tenant."""
    rows = connection.execute(_LAPSED, {"lapsed_before": before, "limit": limit})
    return [(tenant, run_id) for tenant, run_id in rows]


def add_run(connection: Connection, tenant: str, run: Wire, lease: Lease | None) -> None:
    """A new run with its claim."""
    owner, until = _claim(lease)
    SHELVES[Kind.RUN].add(connection, tenant, run, lease_owner=owner, lease_until=until)


def claimed_run(connection: Connection, tenant: str, run_id: str) -> ClaimedRun | None:
    """A run and the claim on it."""
    row = connection.execute(_CLAIMED, {"of_tenant": tenant, "of_id": run_id}).one_or_none()
    if row is None:
        return None
    return ClaimedRun(parsed(row[0]), None if row[1] is None else Lease(owner=row[1], until=row[2]))


def put_run(connection: Connection, tenant: str, run: Wire, lease: Lease | None) -> None:
    """Replace a run and the claim on it."""
    owner, until = _claim(lease)
    values = {"new_body": written(run), "new_status": run["status"], "owner": owner, "until": until}
    with unless_taken(named(run)):
        done = connection.execute(_PUT_RUN, {"of_tenant": tenant, "of_id": run["id"], **values})
    if not done.rowcount:
        raise KeyError(run["id"])


def _claim(lease: Lease | None) -> tuple[str | None, float]:
    """Nobody's claim lapsed long ago."""
    return (None, 0.0) if lease is None else (lease.owner, lease.until)


def lease(connection: Connection, tenant: str, run_id: str) -> Lease | None:
    """The claim on a run; None where there is none."""
    row = connection.execute(_LEASE, {"of_tenant": tenant, "of_id": run_id}).one_or_none()
    return None if row is None or row[0] is None else Lease(owner=row[0], until=row[1])


def set_lease(connection: Connection, tenant: str, run_id: str, lease: Lease | None) -> None:
    """Write the claim down."""
    owner, until = _claim(lease)
    done = connection.execute(_SET_LEASE, {"of_tenant": tenant, "of_id": run_id, "owner": owner, "until": until})
    if not done.rowcount:
        raise KeyError(run_id)


def add_turn(connection: Connection, tenant: str, run_id: str, turn: Turn) -> None:
    """Record one turn."""
    with unless_taken(f"Turn {turn.number} of {run_id}"):
        connection.execute(
            _ADD_TURN,
            {
                "tenant": tenant,
                "run_id": run_id,
                "number": turn.number,
                "response_id": turn.response_id,
                "request_id": turn.request_id,
                "model": turn.model,
                "usage": written_or_none(turn.usage),
            },
        )


def turns_of(connection: Connection, tenant: str, run_id: str) -> Sequence[Turn]:
    """The turns of one run by number."""
    rows = connection.execute(_TURNS, {"tenant": tenant, "run_id": run_id})
    return [
        Turn(number, response_id, request_id, model, parsed_or_none(usage))
        for number, response_id, request_id, model, usage in rows
    ]
