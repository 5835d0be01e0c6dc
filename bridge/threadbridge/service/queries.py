"""Look up and list objects, with the errors of the legacy service for those that do not exist (A10, A11, A15, A16)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from threadbridge.api_types import (
    AssistantObject,
    Identified,
    ListObject,
    MessageObject,
    RunObject,
    RunStepObject,
    ThreadObject,
)
from threadbridge.errors import InvalidRequest, NotFound
from threadbridge.ports import ListQuery, ObjectKind, Session
from threadbridge.schemas.error_messages import shorten
from threadbridge.service.object_factory import build_list_object
from threadbridge.settings import UnknownCursorPolicy
from threadbridge.validation import PageQuery, validate_id, validate_page


class _ObjectInThread(Identified):
    thread_id: str


ObjectT = TypeVar("ObjectT", bound=Identified)
ObjectInThreadT = TypeVar("ObjectInThreadT", bound=_ObjectInThread)


@dataclass(frozen=True, slots=True)
class ObjectType(Generic[ObjectT]):
    """An object of the API: the parameter of its id in paths, the prefix of its ids, and its noun in the text of 404.

    The parameter of the type is that of the stored objects of `kind`.
    """

    kind: ObjectKind
    id_param: str
    id_prefix: str
    noun: str

    def get(self, session: Session, object_id: str) -> ObjectT | None:
        """The stored object, or None."""
        stored: Any = session.get(self.kind, object_id)
        found: ObjectT | None = stored
        return found

    def build_not_found_error(self, object_id: str) -> NotFound:
        """The 404 of A15; for a thread a `ThreadNotFound`."""
        message = f"No {self.noun} found with id '{shorten(object_id)}'."
        return ThreadNotFound(message, object_id) if self.kind is ObjectKind.THREAD else NotFound(message)


class ThreadNotFound(NotFound):
    """The 404 of a thread, with its whole id: the engine may adopt the thread (D120)."""

    def __init__(self, message: str, thread_id: str) -> None:
        super().__init__(message)
        self.thread_id = thread_id


ASSISTANT: ObjectType[AssistantObject] = ObjectType(ObjectKind.ASSISTANT, "assistant_id", "asst", "assistant")
THREAD: ObjectType[ThreadObject] = ObjectType(ObjectKind.THREAD, "thread_id", "thread", "thread")
MESSAGE: ObjectType[MessageObject] = ObjectType(ObjectKind.MESSAGE, "message_id", "msg", "message")
RUN: ObjectType[RunObject] = ObjectType(ObjectKind.RUN, "run_id", "run", "run")
STEP: ObjectType[RunStepObject] = ObjectType(ObjectKind.STEP, "step_id", "step", "run step")


def get_object(session: Session, object_type: ObjectType[ObjectT], object_id: str) -> ObjectT:
    """The object of this id. Raises InvalidRequest for a malformed id (A16), NotFound for an unknown one (A15)."""
    validate_id(object_type.id_param, object_type.id_prefix, object_id)
    body = object_type.get(session, object_id)
    if body is None:
        raise object_type.build_not_found_error(object_id)
    return body


def get_object_in_thread(
    session: Session, object_type: ObjectType[ObjectInThreadT], thread_id: str, object_id: str
) -> ObjectInThreadT:
    """A message or run of this thread. Errors about the thread come before those about the object."""
    validate_id("thread_id", "thread", thread_id)
    validate_id(object_type.id_param, object_type.id_prefix, object_id)
    body = object_type.get(session, object_id)
    if body is None or body["thread_id"] != thread_id:
        get_object(session, THREAD, thread_id)
        raise object_type.build_not_found_error(object_id)
    return body


def list_objects(
    session: Session,
    object_type: ObjectType[ObjectT],
    query: ListQuery,
    *,
    unknown_cursor: UnknownCursorPolicy,
    thread_id: str | None = None,
    run_id: str | None = None,
) -> ListObject[ObjectT]:
    """A page in its envelope (A10-A13). An unknown cursor gives an empty page or raises InvalidRequest, by policy."""
    page = validate_page(query)
    if unknown_cursor == "error":
        _check_cursors(session, object_type, page, thread_id=thread_id, run_id=run_id)
    rows: Any = session.get_page(
        object_type.kind,
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
    object_type: ObjectType[ObjectT],
    thread_id: str,
    query: ListQuery,
    *,
    unknown_cursor: UnknownCursorPolicy,
    run_id: str | None = None,
) -> ListObject[ObjectT]:
    """A page of a thread's messages or runs. Errors about the thread come before those about the query."""
    validate_id("thread_id", "thread", thread_id)
    try:
        page = list_objects(
            session, object_type, query, unknown_cursor=unknown_cursor, thread_id=thread_id, run_id=run_id
        )
    except InvalidRequest:
        get_object(session, THREAD, thread_id)
        raise
    if not page["data"]:
        get_object(session, THREAD, thread_id)
    return page


def _check_cursors(
    session: Session, object_type: ObjectType[Any], page: PageQuery, *, thread_id: str | None, run_id: str | None
) -> None:
    """Raises InvalidRequest for a cursor that is no object of the list (D1)."""
    of_list = {"thread_id": thread_id} if object_type is not STEP else {"run_id": run_id}
    for param, cursor in (("after", page.after), ("before", page.before)):
        if cursor is None:
            continue
        body = object_type.get(session, cursor)
        if body is None or any(owner is not None and body[name] != owner for name, owner in of_list.items()):
            raise InvalidRequest(
                f"Invalid '{param}': no {object_type.noun} found with id '{shorten(cursor)}'.",
                param=param,
                code="invalid_value",
            )
