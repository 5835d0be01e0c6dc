"""Reading the steps of a run (A72-A78)."""

from __future__ import annotations

from collections.abc import Sequence

from threadbridge.ports import ListQuery, ObjectKind, Session, Wire
from threadbridge.service import runs
from threadbridge.service.queries import get_step, list_objects
from threadbridge.settings import UnknownCursorPolicy
from threadbridge.translation.hosted_tools.registry import strip_search_content
from threadbridge.validation import validate_include


def retrieve(
    session: Session, now: float, thread_id: str, run_id: str, step_id: str, include: Sequence[str] = ()
) -> Wire:
    """The step. Raises RunOverdue when the run is past its deadline and not ended yet."""
    validate_include(include)
    runs.retrieve(session, now, thread_id, run_id)
    return _apply_include(get_step(session, run_id, step_id), include)


def list_page(
    session: Session,
    now: float,
    thread_id: str,
    run_id: str,
    query: ListQuery,
    include: Sequence[str] = (),
    *,
    unknown_cursor: UnknownCursorPolicy,
) -> Wire:
    """A page of the run's steps, newest first unless asked otherwise (A11). Raises RunOverdue as `retrieve` does."""
    validate_include(include)
    runs.retrieve(session, now, thread_id, run_id)
    page = list_objects(session, ObjectKind.STEP, query, unknown_cursor=unknown_cursor, run_id=run_id)
    return {**page, "data": [_apply_include(step, include) for step in page["data"]]}


def _apply_include(step: Wire, include: Sequence[str]) -> Wire:
    """The step, without the text of its search results unless the client asked to include it (A77)."""
    return step if include else strip_search_content(step)
