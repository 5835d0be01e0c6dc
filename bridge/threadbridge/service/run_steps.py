"""Reading the steps of a run (A72-A78)."""

from __future__ import annotations

from collections.abc import Sequence

from threadbridge.ports import Kind, ListQuery, Session, Wire
from threadbridge.service import runs
from threadbridge.service.queries import found_step, listing
from threadbridge.settings import UnknownCursor
from threadbridge.translation.step_includes import without_content
from threadbridge.validation import check_include


def retrieve(
    session: Session, now: float, thread_id: str, run_id: str, step_id: str, include: Sequence[str] = ()
) -> Wire:
    """The step as it is. Raises Overdue when the run's time is up and not yet written down."""
    check_include(include)
    runs.retrieve(session, now, thread_id, run_id)
    return _shown(found_step(session, run_id, step_id), include)


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
    page = listing(session, Kind.STEP, query, unknown_cursor=unknown_cursor, run_id=run_id)
    return {**page, "data": [_shown(step, include) for step in page["data"]]}


def _shown(step: Wire, include: Sequence[str]) -> Wire:
    """What searches found is stored with its words, and told with them to whoever asks (A77)."""
    return step if include else without_content(step)
