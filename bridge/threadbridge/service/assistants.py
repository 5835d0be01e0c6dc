"""Assistants: rows of ours, for they have no home upstream any more (mapping §1, §2)."""

from __future__ import annotations

from collections import Counter

from threadbridge.ports import Kind, ListQuery, Session, Wire
from threadbridge.service.attachments import Supplied, done, granted
from threadbridge.service.context import Context
from threadbridge.service.object_factory import changed_assistant, deleted, new_assistant
from threadbridge.service.queries import found, listing
from threadbridge.settings import UnknownCursor
from threadbridge.validation import ASSISTANT_CREATE, ASSISTANT_UPDATE, checked

#: Assistants in memory at once where all are looked at.
_PAGE = 100


def create(session: Session, context: Context, body: Wire, supplied: Supplied | None = None) -> Wire:
    """A new assistant (A20-A24), with the vector store that was made for it."""
    given = checked(ASSISTANT_CREATE, body, limits=context.rules.limits)
    if supplied is not None:
        given["tool_resources"] = granted(given.get("tool_resources", {}), (), supplied)
    assistant = new_assistant(context, given)
    session.add(Kind.ASSISTANT, assistant)
    done(session, supplied)
    return assistant


def retrieve(session: Session, assistant_id: str) -> Wire:
    """The assistant as it is."""
    return found(session, Kind.ASSISTANT, assistant_id)


def list_all(session: Session, query: ListQuery, *, unknown_cursor: UnknownCursor) -> Wire:
    """A page of assistants, newest first unless asked otherwise (C9)."""
    return listing(session, Kind.ASSISTANT, query, unknown_cursor=unknown_cursor)


def pinned_models(session: Session) -> Counter[str]:
    """How many assistants name each model."""
    counts: Counter[str] = Counter()
    page = session.page(Kind.ASSISTANT, limit=_PAGE, order="asc")
    counts.update(assistant["model"] for assistant in page.data)
    while page.has_more:
        page = session.page(Kind.ASSISTANT, limit=_PAGE, order="asc", after=page.data[-1]["id"])
        counts.update(assistant["model"] for assistant in page.data)
    return counts


def update(session: Session, context: Context, assistant_id: str, body: Wire) -> Wire:
    """The assistant with the given keys replaced (A25); runs that have begun keep their own copies."""
    changes = checked(ASSISTANT_UPDATE, body, limits=context.rules.limits)
    assistant = changed_assistant(found(session, Kind.ASSISTANT, assistant_id), changes)
    session.put(Kind.ASSISTANT, assistant)
    return assistant


def delete(session: Session, assistant_id: str) -> Wire:
    """Gone; threads, messages and runs that name it stay readable (A26)."""
    found(session, Kind.ASSISTANT, assistant_id)
    session.remove(Kind.ASSISTANT, assistant_id)
    return deleted("assistant", assistant_id)
