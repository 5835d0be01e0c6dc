"""Look up and list objects, with the errors of the legacy service for those that do not exist (A10, A11, A15, A16)."""

from __future__ import annotations

from threadbridge.errors import InvalidRequest, NotFound
from threadbridge.ports import ListQuery, ObjectKind, Session, Wire
from threadbridge.schemas.error_messages import shorten
from threadbridge.service.object_factory import build_list_object
from threadbridge.settings import UnknownCursorPolicy
from threadbridge.validation import PageQuery, validate_id, validate_page

#: Kind -> (parameter of the path, prefix of its ids, noun in the 404 text).
_KIND_NAMES = {
    ObjectKind.ASSISTANT: ("assistant_id", "asst", "assistant"),
    ObjectKind.THREAD: ("thread_id", "thread", "thread"),
    ObjectKind.MESSAGE: ("message_id", "msg", "message"),
    ObjectKind.RUN: ("run_id", "run", "run"),
    ObjectKind.STEP: ("step_id", "step", "run step"),
}


def build_not_found_error(kind: ObjectKind, object_id: str) -> NotFound:
    """The 404 of A15."""
    return NotFound(f"No {_KIND_NAMES[kind][2]} found with id '{shorten(object_id)}'.")


def get_object(session: Session, kind: ObjectKind, object_id: str) -> Wire:
    """The object of this id. Raises InvalidRequest for a malformed id (A16), NotFound for an unknown one (A15)."""
    param, prefix, _ = _KIND_NAMES[kind]
    validate_id(param, prefix, object_id)
    body = session.get(kind, object_id)
    if body is None:
        raise build_not_found_error(kind, object_id)
    return body


def get_object_in_thread(session: Session, kind: ObjectKind, thread_id: str, object_id: str) -> Wire:
    """A message or run of this thread. Errors about the thread come before those about the object."""
    validate_id("thread_id", "thread", thread_id)
    param, prefix, _ = _KIND_NAMES[kind]
    validate_id(param, prefix, object_id)
    body = session.get(kind, object_id)
    if body is None or body["thread_id"] != thread_id:
        get_object(session, ObjectKind.THREAD, thread_id)
        raise build_not_found_error(kind, object_id)
    return body


def get_step(session: Session, run_id: str, step_id: str) -> Wire:
    """A step of this run. Raises NotFound for a step of another run."""
    step = get_object(session, ObjectKind.STEP, step_id)
    if step["run_id"] != run_id:
        raise build_not_found_error(ObjectKind.STEP, step_id)
    return step


def list_objects(
    session: Session,
    kind: ObjectKind,
    query: ListQuery,
    *,
    unknown_cursor: UnknownCursorPolicy,
    thread_id: str | None = None,
    run_id: str | None = None,
) -> Wire:
    """A page in its envelope (A10-A13). An unknown cursor gives an empty page or raises InvalidRequest, by policy."""
    page = validate_page(query)
    if unknown_cursor == "error":
        _check_cursors(session, kind, page, thread_id=thread_id, run_id=run_id)
    rows = session.get_page(
        kind,
        limit=page.limit,
        order=page.order,
        after=page.after,
        before=page.before,
        thread_id=thread_id,
        run_id=run_id,
    )
    return build_list_object(rows.data, has_more=rows.has_more)


def list_objects_in_thread(
    session: Session,
    kind: ObjectKind,
    thread_id: str,
    query: ListQuery,
    *,
    unknown_cursor: UnknownCursorPolicy,
    run_id: str | None = None,
) -> Wire:
    """A page of a thread's messages or runs. Errors about the thread come before those about the query."""
    validate_id("thread_id", "thread", thread_id)
    try:
        page = list_objects(session, kind, query, unknown_cursor=unknown_cursor, thread_id=thread_id, run_id=run_id)
    except InvalidRequest:
        get_object(session, ObjectKind.THREAD, thread_id)
        raise
    if not page["data"]:
        get_object(session, ObjectKind.THREAD, thread_id)
    return page


def _check_cursors(
    session: Session, kind: ObjectKind, page: PageQuery, *, thread_id: str | None, run_id: str | None
) -> None:
    """Raises InvalidRequest for a cursor that is no object of the list (D1)."""
    of_list = {"thread_id": thread_id} if kind is not ObjectKind.STEP else {"run_id": run_id}
    for param, cursor in (("after", page.after), ("before", page.before)):
        if cursor is None:
            continue
        body = session.get(kind, cursor)
        if body is None or any(owner is not None and body[name] != owner for name, owner in of_list.items()):
            raise InvalidRequest(
                f"Invalid '{param}': no {_KIND_NAMES[kind][2]} found with id '{shorten(cursor)}'.",
                param=param,
                code="invalid_value",
            )
