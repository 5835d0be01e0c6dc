"""Threads, and the messages that they are created with (A27-A30)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from threadbridge.api_types import (
    CreateMessageBody,
    CreateThreadBody,
    DeletionStatus,
    JsonMapping,
    ListObject,
    ThreadObject,
    UpdateThreadBody,
)
from threadbridge.ports import Entry, ListQuery, ObjectKind, Session, ThreadMark
from threadbridge.service import upstream_state
from threadbridge.service.attachments import Provisioned, complete_provisioning, merge_tool_resources
from threadbridge.service.context import ServiceContext
from threadbridge.service.object_factory import build_deletion_status, build_message, build_thread
from threadbridge.service.queries import THREAD, get_object, list_objects
from threadbridge.settings import UnknownCursorPolicy
from threadbridge.translation.wire_objects import build_retrieved_thread
from threadbridge.validation import THREAD_CREATE, THREAD_UPDATE, validate_body


def create(
    session: Session, context: ServiceContext, body: JsonMapping, provisioned: Provisioned | None = None
) -> ThreadObject:
    """Create a thread and its first messages in the same transaction."""
    thread = insert_thread(
        session, context, validate_body(THREAD_CREATE, body, limits=context.rules.limits), provisioned
    )
    complete_provisioning(session, provisioned)
    return thread


def insert_thread(
    session: Session, context: ServiceContext, body: CreateThreadBody, provisioned: Provisioned | None = None
) -> ThreadObject:
    """Create a thread from a validated body."""
    messages = body.get("messages", [])
    resources = merge_tool_resources(body.get("tool_resources", {}), messages, provisioned)
    checked: CreateThreadBody = {**body, "tool_resources": resources}
    thread = build_thread(context, checked)
    session.add(ObjectKind.THREAD, thread)
    append_messages(session, context, thread["id"], messages)
    return thread


def append_messages(
    session: Session, context: ServiceContext, thread_id: str, bodies: Iterable[CreateMessageBody]
) -> None:
    """Append several messages to a thread, in order (A12)."""
    entries = [Entry(message=build_message(context, thread_id, body)) for body in bodies]
    if entries:
        session.append_entries(thread_id, context.add_token_counts(entries))


def retrieve(session: Session, thread_id: str) -> ThreadObject:
    """The thread as it is."""
    return build_retrieved_thread(get_object(session, THREAD, thread_id))


def list_page(session: Session, query: ListQuery, *, unknown_cursor: UnknownCursorPolicy) -> ListObject[ThreadObject]:
    """A page of threads: an extension that OpenAI never had (A7)."""
    page = list_objects(session, THREAD, query, unknown_cursor=unknown_cursor)
    return {**page, "data": [build_retrieved_thread(thread) for thread in page["data"]]}


def update(session: Session, context: ServiceContext, thread_id: str, body: JsonMapping) -> ThreadObject:
    """The thread with metadata or tool resources replaced; allowed while a run is active (C7)."""
    changes: UpdateThreadBody = validate_body(THREAD_UPDATE, body, limits=context.rules.limits)
    thread: ThreadObject = {**get_object(session, THREAD, thread_id), **changes}
    session.put(ObjectKind.THREAD, thread)
    return thread


@dataclass(frozen=True, slots=True)
class AdoptionRule:
    """Which unknown thread ids are adopted: those in `only`, or all that look like ids of a service (D120)."""

    only: frozenset[str] | None = None

    def accepts(self, thread_id: str) -> bool:
        """Whether a thread of this id may be adopted."""
        return _SERVICE_THREAD_ID.fullmatch(thread_id) is not None if self.only is None else thread_id in self.only


#: Ids of threads as services assign them: OpenAI, Azure and Foundry 24 letters and digits, others UUIDs.
_SERVICE_THREAD_ID = re.compile(r"thread_[A-Za-z0-9-]{16,64}")


def adopt(session: Session, context: ServiceContext, thread_id: str) -> bool:
    """Add an empty thread under this id if there is none; False if a client deleted the thread of this id (D120)."""
    if session.get_thread_mark(thread_id) is ThreadMark.DELETED:
        return False
    if session.get(ObjectKind.THREAD, thread_id) is None:
        session.add(ObjectKind.THREAD, {**build_thread(context, {}), "id": thread_id})
        session.put_thread_mark(thread_id, ThreadMark.ADOPTED)
    return True


class ThreadDeletion(NamedTuple):
    """The deletion status, and the run that was active: it is deleted, and its worker can stop (D98)."""

    response: DeletionStatus
    run_id: str | None


def delete(session: Session, context: ServiceContext, thread_id: str) -> ThreadDeletion:
    """Delete the thread with everything in it (A19)."""
    get_object(session, THREAD, thread_id)
    run = session.get_active_run(thread_id)
    upstream_state.delete_upstream_state(session, context, thread_id)
    session.remove(ObjectKind.THREAD, thread_id)
    session.put_thread_mark(thread_id, ThreadMark.DELETED)
    return ThreadDeletion(build_deletion_status("thread", thread_id), None if run is None else run["id"])
