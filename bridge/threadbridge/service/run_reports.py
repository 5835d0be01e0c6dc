"""Reading what a run sent and cost."""

from __future__ import annotations

from threadbridge.costs.report import run_report
from threadbridge.ports import Session, Wire
from threadbridge.service import runs
from threadbridge.service.spend_accounting import owners, spent_by


def retrieve(session: Session, now: float, thread_id: str, run_id: str) -> Wire:
    """The report of the run as it is now. Raises Overdue when its time is up and not yet written down."""
    run = runs.retrieve(session, now, thread_id, run_id)
    sums = {scope: spent_by(session, scope, key) for scope, key in owners(run).items()}
    return run_report(run, session.turns(run_id), sums)
