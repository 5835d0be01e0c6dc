"""Threads, with the messages they may be created with (A27-A30)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from threadbridge.context_window.token_counts import weighed
from threadbridge.ports import Entry, Kind, ListQuery, Session, Wire
from threadbridge.service import upstream_state
from threadbridge.service.attachments import Supplied, done, granted
from threadbridge.service.context import Context
from threadbridge.service.object_factory import deleted, new_message, new_thread
from threadbridge.service.queries import found, listing
from threadbridge.settings import UnknownCursor
from threadbridge.translation.wire_objects import read_thread
from threadbridge.validation import THREAD_CREATE, THREAD_UPDATE, checked


def create(session: Session, context: Context, body: Wire, supplied: Supplied | None = None) -> Wire:
    """A new thread; its first messages are there in the same transaction."""
    thread = insert(session, context, checked(THREAD_CREATE, body, limits=context.rules.limits), supplied)
    done(session, supplied)
    return thread


def insert(session: Session, context: Context, body: Wire, supplied: Supplied | None = None) -> Wire:
    """A new thread from a body that was already checked."""
    messages: Sequence[Wire] = body.get("messages", ())
    resources = granted(body.get("tool_resources", {}), messages, supplied)
    thread = new_thread(context, {**body, "tool_resources": resources})
    session.add(Kind.THREAD, thread)
    append_messages(session, context, thread["id"], messages)
    return thread


def append_messages(session: Session, context: Context, thread_id: str, bodies: Iterable[Wire]) -> None:
    """Several messages at the end of a thread, in order (A12)."""
    entries = [Entry(message=new_message(context, thread_id, body)) for body in bodies]
    if entries:
        session.append(thread_id, weighed(entries, context.rules.history.count))


def retrieve(session: Session, thread_id: str) -> Wire:
    """The thread as it is."""
    return read_thread(found(session, Kind.THREAD, thread_id))


def list_all(session: Session, query: ListQuery, *, unknown_cursor: UnknownCursor) -> Wire:
    """A page of threads: an extension, OpenAI never had it (A7)."""
    page = listing(session, Kind.THREAD, query, unknown_cursor=unknown_cursor)
    return {**page, "data": [read_thread(thread) for thread in page["data"]]}


def update(session: Session, context: Context, thread_id: str, body: Wire) -> Wire:
    """The thread with metadata or tool resources replaced; allowed while a run is active (C7)."""
    changes = checked(THREAD_UPDATE, body, limits=context.rules.limits)
    thread = {**found(session, Kind.THREAD, thread_id), **changes}
    session.put(Kind.THREAD, thread)
    return thread


class Deletion(NamedTuple):
    """The answer to a deletion, and the run that was active: it is gone, and its worker may stop (D98)."""

    answer: Wire
    run_id: str | None


def delete(session: Session, context: Context, thread_id: str) -> Deletion:
    """Gone, with everything in it (A19)."""
    found(session, Kind.THREAD, thread_id)
    run = session.active_run(thread_id)
    upstream_state.forget(session, context, thread_id)
    session.remove(Kind.THREAD, thread_id)
    return Deletion(deleted("thread", thread_id), None if run is None else run["id"])
