"""Assistants: rows of the store, because the Responses API has no assistants (mapping §1, §2)."""

from __future__ import annotations

from collections import Counter

from threadbridge.api_types import (
    AssistantObject,
    CreateAssistantBody,
    DeletionStatus,
    JsonMapping,
    ListObject,
    UpdateAssistantBody,
)
from threadbridge.ports import ListQuery, ObjectKind, Session
from threadbridge.service.attachments import Provisioned, complete_provisioning, merge_tool_resources
from threadbridge.service.context import ServiceContext
from threadbridge.service.object_factory import apply_assistant_update, build_assistant, build_deletion_status
from threadbridge.service.queries import ASSISTANT, get_object, list_objects
from threadbridge.settings import UnknownCursorPolicy
from threadbridge.validation import ASSISTANT_CREATE, ASSISTANT_UPDATE, validate_body

#: Page size when all assistants are read.
_PAGE_SIZE = 100


def create(
    session: Session, context: ServiceContext, body: JsonMapping, provisioned: Provisioned | None = None
) -> AssistantObject:
    """A new assistant (A20-A24), with the vector store that was created for it."""
    params: CreateAssistantBody = validate_body(ASSISTANT_CREATE, body, limits=context.rules.limits)
    if provisioned is not None:
        params["tool_resources"] = merge_tool_resources(params.get("tool_resources", {}), (), provisioned)
    assistant = build_assistant(context, params)
    session.add(ObjectKind.ASSISTANT, assistant)
    complete_provisioning(session, provisioned)
    return assistant


def retrieve(session: Session, assistant_id: str) -> AssistantObject:
    """The assistant as it is."""
    return get_object(session, ASSISTANT, assistant_id)


def list_page(
    session: Session, query: ListQuery, *, unknown_cursor: UnknownCursorPolicy
) -> ListObject[AssistantObject]:
    """A page of assistants, newest first unless asked otherwise (C9)."""
    return list_objects(session, ASSISTANT, query, unknown_cursor=unknown_cursor)


def count_pinned_models(session: Session) -> Counter[str]:
    """How many assistants name each model."""
    counts: Counter[str] = Counter()
    page = session.get_page(ObjectKind.ASSISTANT, limit=_PAGE_SIZE, order="asc")
    counts.update(assistant["model"] for assistant in page.data)
    while page.has_more:
        page = session.get_page(ObjectKind.ASSISTANT, limit=_PAGE_SIZE, order="asc", after=page.data[-1]["id"])
        counts.update(assistant["model"] for assistant in page.data)
    return counts


def update(session: Session, context: ServiceContext, assistant_id: str, body: JsonMapping) -> AssistantObject:
    """The assistant with the given keys replaced (A25); existing runs keep their own copies."""
    changes: UpdateAssistantBody = validate_body(ASSISTANT_UPDATE, body, limits=context.rules.limits)
    assistant = apply_assistant_update(get_object(session, ASSISTANT, assistant_id), changes)
    session.put(ObjectKind.ASSISTANT, assistant)
    return assistant


def delete(session: Session, assistant_id: str) -> DeletionStatus:
    """Delete the assistant; threads, messages and runs that name it stay readable (A26)."""
    get_object(session, ASSISTANT, assistant_id)
    session.remove(ObjectKind.ASSISTANT, assistant_id)
    return build_deletion_status("assistant", assistant_id)
