"""Messages of a thread (A32-A42)."""

from __future__ import annotations

from threadbridge.api_types import (
    CreateMessageBody,
    DeletionStatus,
    JsonMapping,
    ListObject,
    MessageObject,
    UpdatedMessageObject,
    UpdateMetadataBody,
)
from threadbridge.ports import Entry, ListQuery, ObjectKind, Session
from threadbridge.service.attachments import Provisioned, attach_files, complete_provisioning
from threadbridge.service.context import ServiceContext
from threadbridge.service.object_factory import build_deletion_status, build_message
from threadbridge.service.queries import MESSAGE, THREAD, get_object, get_object_in_thread, list_objects_in_thread
from threadbridge.service.run_state import ensure_messages_allowed
from threadbridge.settings import UnknownCursorPolicy
from threadbridge.translation.wire_objects import build_updated_message
from threadbridge.validation import MESSAGE_CREATE, MESSAGE_UPDATE, validate_body, validate_id


def create(
    session: Session,
    context: ServiceContext,
    thread_id: str,
    body: JsonMapping,
    provisioned: Provisioned | None = None,
) -> MessageObject:
    """Append a message to the thread and its attachments to the thread's tools (A38).

    Raises ThreadBusy while a run is active (A42).
    """
    validate_id("thread_id", "thread", thread_id)
    params: CreateMessageBody = validate_body(MESSAGE_CREATE, body, limits=context.rules.limits)
    thread = get_object(session, THREAD, thread_id)
    ensure_messages_allowed(session, context, thread_id)
    message = build_message(context, thread_id, params)
    session.append_entries(thread_id, context.add_token_counts([Entry(message=message)]))
    if provisioned is not None:
        attach_files(session, thread, [params], provisioned)
        complete_provisioning(session, provisioned)
    return message


def retrieve(session: Session, thread_id: str, message_id: str) -> MessageObject:
    """The message as it is."""
    return get_object_in_thread(session, MESSAGE, thread_id, message_id)


def list_page(
    session: Session, thread_id: str, query: ListQuery, *, unknown_cursor: UnknownCursorPolicy
) -> ListObject[MessageObject]:
    """A page of the thread's messages, or of those one run wrote (A11)."""
    return list_objects_in_thread(
        session, MESSAGE, thread_id, query, unknown_cursor=unknown_cursor, run_id=query.run_id
    )


def update(
    session: Session, context: ServiceContext, thread_id: str, message_id: str, body: JsonMapping
) -> UpdatedMessageObject:
    """The message with its metadata replaced (A41)."""
    changes: UpdateMetadataBody = validate_body(MESSAGE_UPDATE, body, limits=context.rules.limits)
    stored = get_object_in_thread(session, MESSAGE, thread_id, message_id)
    message: MessageObject = {**stored, **changes}
    session.put(ObjectKind.MESSAGE, message)
    return build_updated_message(message)


def delete(session: Session, thread_id: str, message_id: str) -> DeletionStatus:
    """Delete the message from the thread and from the history of later runs."""
    get_object_in_thread(session, MESSAGE, thread_id, message_id)
    session.remove(ObjectKind.MESSAGE, message_id)
    return build_deletion_status("thread.message", message_id)
