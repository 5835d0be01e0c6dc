"""Reading what a run sent and cost."""

from __future__ import annotations

from threadbridge.costs.report import build_run_report
from threadbridge.ports import Session, Wire
from threadbridge.service import runs
from threadbridge.service.spend_accounting import get_spending, list_spending_keys


def retrieve_report(session: Session, now: float, thread_id: str, run_id: str) -> Wire:
    """The report of the run as it is now. Raises Overdue when its time is up and not yet written down."""
    run = runs.retrieve(session, now, thread_id, run_id)
    sums = {scope: get_spending(session, scope, key) for scope, key in list_spending_keys(run).items()}
    return build_run_report(run, session.list_turns(run_id), sums)
