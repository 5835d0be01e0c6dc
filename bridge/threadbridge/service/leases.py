"""Who works on a run: a claim that lapses unless it is prolonged (docs/explanation/architecture.md)."""

from __future__ import annotations

from threadbridge.ports import Lease, Session, Wire
from threadbridge.run_states import RunStatus
from threadbridge.service.context import ServiceContext

#: Statuses in which a run has something to do for a worker.
_UNFINISHED = frozenset({RunStatus.QUEUED, RunStatus.IN_PROGRESS, RunStatus.CANCELLING})


def build_lease(context: ServiceContext) -> Lease:
    """This worker's claim from now on. Whoever queues a run takes it up; another may when the claim has lapsed."""
    return Lease(context.owner, context.now + context.rules.limits.lease_seconds)


def is_own_lease(context: ServiceContext, lease: Lease | None) -> bool:
    """Whether this worker claimed the run last."""
    return lease is not None and lease.owner == context.owner


def is_lease_valid(lease: Lease | None, now: float) -> bool:
    """Whether anybody's claim on the run is alive."""
    return lease is not None and lease.expires_at > now


def is_leased(session: Session, now: float, run_id: str) -> bool:
    """Whether somebody works on the run."""
    return is_lease_valid(session.get_lease(run_id), now)


def is_abandoned(session: Session, now: float, run: Wire) -> bool:
    """Whether the run has something to do and nobody who does it: its worker's process is gone."""
    return run["status"] in _UNFINISHED and not is_leased(session, now, run["id"])
