"""Provisioning plans: which vector stores a request needs created upstream, and which files it needs there.

Attachments belong to the thread's tools (A38), a request may describe vector stores instead of naming their ids (A22,
A28), and every file that it names has to exist (A102). This module decides; the engine performs the plan, and the
request is written only after that succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypedDict, cast

from threadbridge.api_types import (
    ChunkingStrategy,
    CreateAssistantBody,
    CreateMessageBody,
    CreateRunBody,
    CreateThreadAndRunBody,
    CreateThreadBody,
    JsonMapping,
    JsonObject,
    Metadata,
    ThreadObject,
    ToolResources,
    UpdateAssistantBody,
    UpdateThreadBody,
    is_json_list,
    is_json_object,
)
from threadbridge.errors import UpstreamTimeout
from threadbridge.ports import ObjectKind, Session, UpstreamCapabilities
from threadbridge.schemas.schema_types import Object
from threadbridge.service import cleanup_intents
from threadbridge.service.queries import THREAD, get_object
from threadbridge.settings import Limits
from threadbridge.translation.hosted_tools.hosted_tool import ResourceKind
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS, get_resource_ids, get_resource_owner
from threadbridge.validation import (
    ASSISTANT_CREATE,
    ASSISTANT_UPDATE,
    MESSAGE_CREATE,
    RUN_CREATE,
    THREAD_AND_RUN_CREATE,
    THREAD_CREATE,
    THREAD_UPDATE,
    validate_body,
    validate_file_ids,
    validate_id,
)


class ExpiresAfter(TypedDict):
    """When the upstream deletes a vector store."""

    anchor: str
    days: int


class VectorStoreBody(TypedDict, total=False):
    """The body of `POST /vector_stores`, without its files and without a name."""

    metadata: Metadata
    expires_after: ExpiresAfter


#: A vector store created for a thread expires a week after its last use (A31).
_THREAD_STORE_EXPIRY: ExpiresAfter = {"anchor": "last_active_at", "days": 7}


@dataclass(frozen=True, slots=True)
class NewVectorStore:
    """A vector store to create, without its files."""

    body: VectorStoreBody
    chunking_strategy: ChunkingStrategy | None = None


@dataclass(frozen=True, slots=True)
class ProvisioningPlan:
    """What to provision: search files go into the new or the named vector store; required files must exist."""

    new_vector_store: NewVectorStore | None = None
    vector_store_id: str | None = None
    #: Created if the named vector store was deleted at the upstream.
    replacement_store: NewVectorStore | None = None
    search_file_ids: tuple[str, ...] = ()
    required_file_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The result: the vector store that holds the files, and the cleanup intent that would undo all of it."""

    vector_store_id: str | None = None
    cleanup_intent_id: str | None = None


def plan_for_assistant(limits: Limits, body: JsonMapping) -> ProvisioningPlan | None:
    """The plan for a new assistant; None when it needs nothing, in which case its body is not validated here."""
    if not _may_need_provisioning(body.get("tool_resources")):
        return None
    params: CreateAssistantBody = validate_body(ASSISTANT_CREATE, body, limits=limits)
    resources = params.get("tool_resources", {})
    plan = _plan_described_store(resources, for_thread=False) or ProvisioningPlan()
    return replace(plan, required_file_ids=get_resource_ids(resources, "file_ids"))


def plan_for_assistant_update(limits: Limits, body: JsonMapping) -> ProvisioningPlan | None:
    """The plan for an assistant's new tool resources; None when they need nothing."""
    return _plan_for_update(ASSISTANT_UPDATE, limits, body)


def plan_for_thread_update(limits: Limits, body: JsonMapping) -> ProvisioningPlan | None:
    """The plan for a thread's new tool resources; None when they need nothing."""
    return _plan_for_update(THREAD_UPDATE, limits, body)


def _plan_for_update(schema: Object, limits: Limits, body: JsonMapping) -> ProvisioningPlan | None:
    if not _may_need_provisioning(body.get("tool_resources")):
        return None
    changes: UpdateAssistantBody | UpdateThreadBody = validate_body(schema, body, limits=limits)
    return ProvisioningPlan(required_file_ids=get_resource_ids(changes.get("tool_resources", {}), "file_ids"))


def plan_for_thread(limits: Limits, body: JsonMapping) -> ProvisioningPlan | None:
    """The plan for a new thread with its first messages; None when it needs nothing."""
    if not _may_need_provisioning(body.get("tool_resources")) and not names_files(body.get("messages")):
        return None
    return _plan_for_new_thread(validate_body(THREAD_CREATE, body, limits=limits), ())


def plan_for_thread_and_run(limits: Limits, body: JsonMapping) -> ProvisioningPlan | None:
    """The plan for a new thread with a run on it; None when it needs nothing."""
    given = body.get("thread")
    thread = given if is_json_object(given) else {}
    resources = (thread.get("tool_resources"), body.get("tool_resources"))
    messages = (thread.get("messages"), body.get("additional_messages"))
    if not any(map(_may_need_provisioning, resources)) and not any(map(names_files, messages)):
        return None
    params: CreateThreadAndRunBody = validate_body(THREAD_AND_RUN_CREATE, body, limits=limits)
    plan = _plan_for_new_thread(params.get("thread", {}), params.get("additional_messages", ()))
    run_file_ids = get_resource_ids(params.get("tool_resources", {}), "file_ids")
    return replace(plan, required_file_ids=_deduplicate((*plan.required_file_ids, *run_file_ids)))


def plan_for_message(session: Session, limits: Limits, thread_id: str, body: JsonMapping) -> ProvisioningPlan:
    """The plan for a message that names files. Raises as its creation does."""
    validate_id("thread_id", "thread", thread_id)
    params: CreateMessageBody = validate_body(MESSAGE_CREATE, body, limits=limits)
    return _plan_for_existing_thread(get_object(session, THREAD, thread_id), [params])


def plan_for_run(session: Session, limits: Limits, thread_id: str, body: JsonMapping) -> ProvisioningPlan:
    """The plan for a run whose additional messages name files. Raises as its creation does."""
    validate_id("thread_id", "thread", thread_id)
    params: CreateRunBody = validate_body(RUN_CREATE, body, limits=limits)
    return _plan_for_existing_thread(get_object(session, THREAD, thread_id), params.get("additional_messages", ()))


def restrict_to_capabilities(plan: ProvisioningPlan | None, profile: UpstreamCapabilities) -> ProvisioningPlan | None:
    """The part of the plan that the upstream supports; the rest is stored and returned, but never sent upstream."""
    if plan is None or not profile.files:
        return None
    searches = get_resource_owner("vector_store_ids").is_supported(profile)
    return plan if searches else ProvisioningPlan(required_file_ids=plan.required_file_ids)


def names_files(messages: object) -> bool:
    """Whether messages that are not validated yet appear to attach files or to show images."""

    def is_image(part: object) -> bool:
        return is_json_object(part) and part.get("type") == "image_file"

    for message in messages if is_json_list(messages) else ():
        if not is_json_object(message):
            continue
        content = message.get("content")
        if message.get("attachments") or (is_json_list(content) and any(map(is_image, content))):
            return True
    return False


def merge_tool_resources(
    resources: ToolResources, messages: Iterable[CreateMessageBody], provisioned: Provisioned | None
) -> ToolResources:
    """A thread's or an assistant's tool resources after provisioning: ids instead of descriptions, plus the files of
    the messages. Raises InvalidRequest for more files than the code interpreter may have (A21).
    """
    if provisioned is None:
        return resources
    search, code = _collect_attached_files(messages)
    after: JsonObject = {**resources}
    if provisioned.vector_store_id is not None and (search or _get_vector_store_params(resources)):
        after[get_resource_owner("vector_store_ids").type] = {"vector_store_ids": [provisioned.vector_store_id]}
    if code:
        tool_type = get_resource_owner("file_ids").type
        current: JsonMapping = after.get(tool_type) or {}
        file_ids = list(_deduplicate((*(current.get("file_ids") or ()), *code)))
        after[tool_type] = {"file_ids": validate_file_ids(tool_type, file_ids)}
    return cast("ToolResources", after)  # its keys come from the registry of hosted tools


def complete_provisioning(session: Session, provisioned: Provisioned | None) -> None:
    """Cancel the cleanup intent: the request is written. Raises UpstreamTimeout if the cleanup has started already."""
    if provisioned is None or provisioned.cleanup_intent_id is None:
        return
    if not cleanup_intents.cancel_intent(session, provisioned.cleanup_intent_id):
        raise UpstreamTimeout("Storing the result of the upstream's work took too long. Please try again.")


def attach_files(
    session: Session, thread: ThreadObject, messages: Sequence[CreateMessageBody], provisioned: Provisioned | None
) -> ThreadObject:
    """The thread with the attachments of the messages; written if that changed it."""
    resources = merge_tool_resources(thread["tool_resources"], messages, provisioned)
    if resources == thread["tool_resources"]:
        return thread
    after: ThreadObject = {**thread, "tool_resources": resources}
    session.put(ObjectKind.THREAD, after)
    return after


def _plan_for_new_thread(
    thread: CreateThreadBody, additional_messages: Sequence[CreateMessageBody]
) -> ProvisioningPlan:
    resources = thread.get("tool_resources", {})
    messages = [*thread.get("messages", ()), *additional_messages]
    plan = _plan_described_store(resources, for_thread=True)
    search, code = _collect_attached_files(messages)
    merge_tool_resources(resources, messages, Provisioned())
    required_file_ids = (*get_resource_ids(resources, "file_ids"), *code, *_iter_image_file_ids(messages))
    if plan is None:
        return _plan_vector_store(resources, search, required_file_ids)
    return replace(
        plan,
        search_file_ids=_deduplicate((*plan.search_file_ids, *search)),
        required_file_ids=_deduplicate(required_file_ids),
    )


def _plan_for_existing_thread(thread: ThreadObject, messages: Sequence[CreateMessageBody]) -> ProvisioningPlan:
    search, code = _collect_attached_files(messages)
    merge_tool_resources(thread["tool_resources"], messages, Provisioned())
    return _plan_vector_store(thread["tool_resources"], search, (*code, *_iter_image_file_ids(messages)))


def _plan_vector_store(
    resources: ToolResources, search_file_ids: tuple[str, ...], required_file_ids: Iterable[str]
) -> ProvisioningPlan:
    vector_store_ids = get_resource_ids(resources, "vector_store_ids")
    plan = ProvisioningPlan(search_file_ids=search_file_ids, required_file_ids=_deduplicate(required_file_ids))
    if not search_file_ids:
        return plan
    new_store = NewVectorStore({"expires_after": _THREAD_STORE_EXPIRY})
    if vector_store_ids:
        return replace(plan, vector_store_id=vector_store_ids[0], replacement_store=new_store)
    return replace(plan, new_vector_store=new_store)


def _plan_described_store(resources: ToolResources, *, for_thread: bool) -> ProvisioningPlan | None:
    """The plan for the vector store that the resources describe: at most one (A21)."""
    for described in _get_vector_store_params(resources):
        body: VectorStoreBody = {}
        if described.get("metadata"):
            body["metadata"] = described["metadata"]
        if for_thread:
            body["expires_after"] = _THREAD_STORE_EXPIRY
        store = NewVectorStore(body, described.get("chunking_strategy"))
        return ProvisioningPlan(new_vector_store=store, search_file_ids=_deduplicate(described.get("file_ids", ())))
    return None


def _get_vector_store_params(resources: object) -> Sequence[JsonMapping]:
    """The vector stores that tool resources describe. The resources may be unvalidated."""
    search = resources.get(get_resource_owner("vector_store_ids").type) if is_json_object(resources) else None
    stores = search.get("vector_stores") if is_json_object(search) else None
    return stores if is_json_list(stores) else ()


def _may_need_provisioning(resources: object) -> bool:
    """Whether tool resources that are not validated yet appear to describe vector stores or to name files."""
    code = resources.get(get_resource_owner("file_ids").type) if is_json_object(resources) else None
    return bool(_get_vector_store_params(resources)) or (is_json_object(code) and bool(code.get("file_ids")))


def _iter_image_file_ids(messages: Iterable[CreateMessageBody]) -> Iterable[str]:
    """The files that messages show to the model."""
    for message in messages:
        for part in message["content"] if not isinstance(message["content"], str) else ():
            if part["type"] == "image_file":
                yield part["image_file"]["file_id"]


def _deduplicate(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _collect_attached_files(messages: Iterable[CreateMessageBody]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The attached files for searches and for code, each once; one may be for both (A38)."""
    by_kind: dict[ResourceKind, dict[str, None]] = {"vector_store_ids": {}, "file_ids": {}}
    for attachment in (each for message in messages for each in message.get("attachments") or ()):
        for tool in attachment["tools"]:
            kind = HOSTED_TOOLS[tool["type"]].resource_kind
            if kind is not None:
                by_kind[kind][attachment["file_id"]] = None
    search, code = by_kind.values()
    return tuple(search), tuple(code)
