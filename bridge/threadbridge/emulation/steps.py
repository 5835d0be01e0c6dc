"""Reading the steps of a run (A72-A78)."""

from __future__ import annotations

from collections.abc import Sequence

from threadbridge.emulation import runs
from threadbridge.emulation.lookup import found_step, listing
from threadbridge.ports import Kind, ListQuery, Session, Wire
from threadbridge.settings import UnknownCursor
from threadbridge.validation import check_include


def retrieve(
    session: Session, now: float, thread_id: str, run_id: str, step_id: str, include: Sequence[str] = ()
) -> Wire:
    """The step as it is. Raises Overdue when the run's time is up and not yet written down."""
    check_include(include)
    runs.retrieve(session, now, thread_id, run_id)
    return found_step(session, run_id, step_id)


def list_all(
    session: Session,
    now: float,
    thread_id: str,
    run_id: str,
    query: ListQuery,
    include: Sequence[str] = (),
    *,
    unknown_cursor: UnknownCursor,
) -> Wire:
    """A page of the run's steps, newest first unless asked otherwise (A11). Raises Overdue as `retrieve` does."""
    check_include(include)
    runs.retrieve(session, now, thread_id, run_id)
    return listing(session, Kind.STEP, query, unknown_cursor=unknown_cursor, run_id=run_id)
