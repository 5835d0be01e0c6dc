"""Messages of a thread (A32-A42)."""

from __future__ import annotations

from threadbridge.context_window.token_counts import weighed
from threadbridge.ports import Entry, Kind, ListQuery, Session, Wire
from threadbridge.service.attachments import Supplied, done, grant
from threadbridge.service.context import Context
from threadbridge.service.object_factory import deleted, new_message
from threadbridge.service.queries import found, found_in_thread, listing_in_thread
from threadbridge.service.thread_lock import refuse_messages
from threadbridge.settings import UnknownCursor
from threadbridge.translation.wire_objects import modified_message
from threadbridge.validation import MESSAGE_CREATE, MESSAGE_UPDATE, check_id, checked


def create(session: Session, context: Context, thread_id: str, body: Wire, supplied: Supplied | None = None) -> Wire:
    """A message at the end of the thread, its attachments with the thread's tools (A38).

    Raises ThreadBusy while a run is active (A42).
    """
    check_id("thread_id", "thread", thread_id)
    given = checked(MESSAGE_CREATE, body, limits=context.rules.limits)
    thread = found(session, Kind.THREAD, thread_id)
    refuse_messages(session, context, thread_id)
    message = new_message(context, thread_id, given)
    session.append(thread_id, weighed([Entry(message=message)], context.rules.history.count))
    if supplied is not None:
        grant(session, thread, [given], supplied)
        done(session, supplied)
    return message


def retrieve(session: Session, thread_id: str, message_id: str) -> Wire:
    """The message as it is."""
    return found_in_thread(session, Kind.MESSAGE, thread_id, message_id)


def list_all(session: Session, thread_id: str, query: ListQuery, *, unknown_cursor: UnknownCursor) -> Wire:
    """A page of the thread's messages, or of those one run wrote (A11)."""
    return listing_in_thread(
        session, Kind.MESSAGE, thread_id, query, unknown_cursor=unknown_cursor, run_id=query.run_id
    )


def update(session: Session, context: Context, thread_id: str, message_id: str, body: Wire) -> Wire:
    """The message with its metadata replaced (A41)."""
    changes = checked(MESSAGE_UPDATE, body, limits=context.rules.limits)
    message = {**found_in_thread(session, Kind.MESSAGE, thread_id, message_id), **changes}
    session.put(Kind.MESSAGE, message)
    return modified_message(message)


def delete(session: Session, thread_id: str, message_id: str) -> Wire:
    """Gone, from the thread and from what later runs are shown."""
    found_in_thread(session, Kind.MESSAGE, thread_id, message_id)
    session.remove(Kind.MESSAGE, message_id)
    return deleted("thread.message", message_id)
