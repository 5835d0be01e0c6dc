"""Finding rows, or saying in the service's words that they are not there (A10, A11, A15, A16)."""

from __future__ import annotations

from threadbridge.errors import InvalidRequest, NotFound
from threadbridge.ports import Kind, ListQuery, Session, Wire
from threadbridge.service.object_factory import listed
from threadbridge.settings import UnknownCursor
from threadbridge.validation import CheckedPage, check_id, checked_page
from threadbridge.validation.error_messages import quoted

#: Kind -> (parameter of the path, prefix of its ids, noun in the 404 text).
_NAMES = {
    Kind.ASSISTANT: ("assistant_id", "asst", "assistant"),
    Kind.THREAD: ("thread_id", "thread", "thread"),
    Kind.MESSAGE: ("message_id", "msg", "message"),
    Kind.RUN: ("run_id", "run", "run"),
    Kind.STEP: ("step_id", "step", "run step"),
}


def missing(kind: Kind, object_id: str) -> NotFound:
    """The 404 of A15."""
    return NotFound(f"No {_NAMES[kind][2]} found with id '{quoted(object_id)}'.")


def found(session: Session, kind: Kind, object_id: str) -> Wire:
    """The object of this id. Raises InvalidRequest for a malformed id (A16), NotFound for an unknown one (A15)."""
    param, prefix, _ = _NAMES[kind]
    check_id(param, prefix, object_id)
    body = session.get(kind, object_id)
    if body is None:
        raise missing(kind, object_id)
    return body


def found_in_thread(session: Session, kind: Kind, thread_id: str, object_id: str) -> Wire:
    """A message or run of this very thread; the thread is complained of first."""
    check_id("thread_id", "thread", thread_id)
    param, prefix, _ = _NAMES[kind]
    check_id(param, prefix, object_id)
    body = session.get(kind, object_id)
    if body is None or body["thread_id"] != thread_id:
        found(session, Kind.THREAD, thread_id)
        raise missing(kind, object_id)
    return body


def found_step(session: Session, run_id: str, step_id: str) -> Wire:
    """A step of this very run."""
    step = found(session, Kind.STEP, step_id)
    if step["run_id"] != run_id:
        raise missing(Kind.STEP, step_id)
    return step


def listing(
    session: Session,
    kind: Kind,
    query: ListQuery,
    *,
    unknown_cursor: UnknownCursor,
    thread_id: str | None = None,
    run_id: str | None = None,
) -> Wire:
    """A page in its envelope, after the query was judged (A10-A13). An unknown cursor is an empty page, or refused."""
    page = checked_page(query)
    if unknown_cursor == "error":
        _check_cursors(session, kind, page, thread_id=thread_id, run_id=run_id)
    rows = session.page(
        kind,
        limit=page.limit,
        order=page.order,
        after=page.after,
        before=page.before,
        thread_id=thread_id,
        run_id=run_id,
    )
    return listed(rows.data, has_more=rows.has_more)


def listing_in_thread(
    session: Session,
    kind: Kind,
    thread_id: str,
    query: ListQuery,
    *,
    unknown_cursor: UnknownCursor,
    run_id: str | None = None,
) -> Wire:
    """A page of a thread's messages or runs; the thread is complained of first. One with something in it is there."""
    check_id("thread_id", "thread", thread_id)
    try:
        page = listing(session, kind, query, unknown_cursor=unknown_cursor, thread_id=thread_id, run_id=run_id)
    except InvalidRequest:
        found(session, Kind.THREAD, thread_id)
        raise
    if not page["data"]:
        found(session, Kind.THREAD, thread_id)
    return page


def _check_cursors(
    session: Session, kind: Kind, page: CheckedPage, *, thread_id: str | None, run_id: str | None
) -> None:
    """Raises InvalidRequest for a cursor that is no object of the list (D1)."""
    of_list = {"thread_id": thread_id} if kind is not Kind.STEP else {"run_id": run_id}
    for param, cursor in (("after", page.after), ("before", page.before)):
        if cursor is None:
            continue
        body = session.get(kind, cursor)
        if body is None or any(owner is not None and body[name] != owner for name, owner in of_list.items()):
            raise InvalidRequest(
                f"Invalid '{param}': no {_NAMES[kind][2]} found with id '{quoted(cursor)}'.",
                param=param,
                code="invalid_value",
            )
