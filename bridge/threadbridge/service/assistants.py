"""Assistants: rows of the store, because the Responses API has no assistants (mapping §1, §2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from threadbridge.api_types import (
    AssistantObject,
    CreateAssistantBody,
    DeletionStatus,
    JsonMapping,
    ListObject,
    UpdateAssistantBody,
)
from threadbridge.errors import InvalidRequest
from threadbridge.ports import ListQuery, ObjectKind, Session
from threadbridge.schemas.error_messages import shorten
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


def put_declared(session: Session, context: ServiceContext, bodies: Mapping[str, CreateAssistantBody]) -> int:
    """Store the declared assistants under their ids; those that are stored keep their time. How many changed (D121)."""
    changed = 0
    for assistant_id, body in bodies.items():
        stored = session.get(ObjectKind.ASSISTANT, assistant_id)
        assistant: AssistantObject = {**build_assistant(context, body), "id": assistant_id}
        if stored is None:
            session.add(ObjectKind.ASSISTANT, assistant)
        elif stored == {**assistant, "created_at": stored["created_at"]}:
            continue
        else:
            session.put(ObjectKind.ASSISTANT, {**assistant, "created_at": stored["created_at"]})
        changed += 1
    return changed


def _reject_change_of_declared(context: ServiceContext, assistant_id: str) -> None:
    if assistant_id in context.rules.declared_assistants:
        raise InvalidRequest(
            f"The assistant '{shorten(assistant_id)}' is declared in the configuration of the server and cannot be "
            "changed by requests. Change it there, and restart the server.",
            param="assistant_id",
            code="assistant_read_only",
        )


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
    _reject_change_of_declared(context, assistant_id)
    changes: UpdateAssistantBody = validate_body(ASSISTANT_UPDATE, body, limits=context.rules.limits)
    assistant = apply_assistant_update(get_object(session, ASSISTANT, assistant_id), changes)
    session.put(ObjectKind.ASSISTANT, assistant)
    return assistant


def delete(session: Session, context: ServiceContext, assistant_id: str) -> DeletionStatus:
    """Delete the assistant; threads, messages and runs that name it stay readable (A26)."""
    _reject_change_of_declared(context, assistant_id)
    get_object(session, ASSISTANT, assistant_id)
    session.remove(ObjectKind.ASSISTANT, assistant_id)
    return build_deletion_status("assistant", assistant_id)
