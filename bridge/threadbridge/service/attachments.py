"""Provisioning plans: which vector stores a request needs created upstream, and which files it needs there.

Attachments belong to the thread's tools (A38), a request may describe vector stores instead of naming their ids (A22,
A28), and every file that it names has to exist (A102). This module decides; the engine performs the plan, and the
request is written only after that succeeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from threadbridge.errors import UpstreamTimeout
from threadbridge.ports import ObjectKind, Session, UpstreamCapabilities, Wire
from threadbridge.schemas.schema_types import Object
from threadbridge.service import cleanup_intents
from threadbridge.service.queries import get_object
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

#: A vector store created for a thread expires a week after its last use (A31).
_THREAD_STORE_EXPIRY: Wire = {"anchor": "last_active_at", "days": 7}


@dataclass(frozen=True, slots=True)
class NewVectorStore:
    """A vector store to create: the body of `POST /vector_stores`, without its files."""

    body: Wire
    chunking_strategy: Wire | None = None


@dataclass(frozen=True, slots=True)
class ProvisioningPlan:
    """What to provision: search files go into the new or the named vector store; required files must exist."""

    new_vector_store: NewVectorStore | None = None
    vector_store_id: str | None = None
    search_file_ids: tuple[str, ...] = ()
    required_file_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Provisioned:
    """The result: the vector store that holds the files, and the cleanup intent that would undo all of it."""

    vector_store_id: str | None = None
    cleanup_intent_id: str | None = None


def plan_for_assistant(limits: Limits, body: Wire) -> ProvisioningPlan | None:
    """The plan for a new assistant; None when it needs nothing, in which case its body is not validated here."""
    if not _may_need_provisioning(body.get("tool_resources")):
        return None
    resources = validate_body(ASSISTANT_CREATE, body, limits=limits).get("tool_resources", {})
    return replace(
        _plan_described_store(resources, for_thread=False) or ProvisioningPlan(),
        required_file_ids=_get_code_file_ids(resources),
    )


def plan_for_assistant_update(limits: Limits, body: Wire) -> ProvisioningPlan | None:
    """The plan for an assistant's new tool resources; None when they need nothing."""
    return _plan_for_update(ASSISTANT_UPDATE, limits, body)


def plan_for_thread_update(limits: Limits, body: Wire) -> ProvisioningPlan | None:
    """The plan for a thread's new tool resources; None when they need nothing."""
    return _plan_for_update(THREAD_UPDATE, limits, body)


def _plan_for_update(spec: Object, limits: Limits, body: Wire) -> ProvisioningPlan | None:
    if not _may_need_provisioning(body.get("tool_resources")):
        return None
    return ProvisioningPlan(
        required_file_ids=_get_code_file_ids(validate_body(spec, body, limits=limits).get("tool_resources", {}))
    )


def plan_for_thread(limits: Limits, body: Wire) -> ProvisioningPlan | None:
    """The plan for a new thread with its first messages; None when it needs nothing."""
    if not _may_need_provisioning(body.get("tool_resources")) and not names_files(body.get("messages")):
        return None
    return _plan_for_new_thread(validate_body(THREAD_CREATE, body, limits=limits), ())


def plan_for_thread_and_run(limits: Limits, body: Wire) -> ProvisioningPlan | None:
    """The plan for a new thread with a run on it; None when it needs nothing."""
    thread = body.get("thread")
    thread = thread if isinstance(thread, dict) else {}
    resources = (thread.get("tool_resources"), body.get("tool_resources"))
    messages = (thread.get("messages"), body.get("additional_messages"))
    if not any(map(_may_need_provisioning, resources)) and not any(map(names_files, messages)):
        return None
    params = validate_body(THREAD_AND_RUN_CREATE, body, limits=limits)
    plan = _plan_for_new_thread(params.get("thread", {}), params.get("additional_messages", ()))
    return replace(
        plan,
        required_file_ids=_deduplicate(
            (*plan.required_file_ids, *_get_code_file_ids(params.get("tool_resources", {})))
        ),
    )


def plan_for_message(session: Session, limits: Limits, thread_id: str, body: Wire) -> ProvisioningPlan:
    """The plan for a message that names files. Raises as its creation does."""
    validate_id("thread_id", "thread", thread_id)
    params = validate_body(MESSAGE_CREATE, body, limits=limits)
    return _plan_for_existing_thread(get_object(session, ObjectKind.THREAD, thread_id), [params])


def plan_for_run(session: Session, limits: Limits, thread_id: str, body: Wire) -> ProvisioningPlan:
    """The plan for a run whose additional messages name files. Raises as its creation does."""
    validate_id("thread_id", "thread", thread_id)
    params = validate_body(RUN_CREATE, body, limits=limits)
    return _plan_for_existing_thread(
        get_object(session, ObjectKind.THREAD, thread_id), params.get("additional_messages", ())
    )


def restrict_to_capabilities(plan: ProvisioningPlan | None, profile: UpstreamCapabilities) -> ProvisioningPlan | None:
    """The part of the plan that the upstream supports; the rest is stored and returned, but never sent upstream."""
    if plan is None or not profile.files:
        return None
    searches = get_resource_owner("vector_store_ids").is_supported(profile)
    return plan if searches else ProvisioningPlan(required_file_ids=plan.required_file_ids)


def names_files(messages: object) -> bool:
    """Whether messages that are not validated yet appear to attach files or to show images."""
    return isinstance(messages, list) and any(map(_message_names_files, messages))


def _message_names_files(message: object) -> bool:
    if not isinstance(message, dict):
        return False
    content = message.get("content")
    return bool(message.get("attachments")) or (isinstance(content, list) and any(map(_is_image, content)))


def _is_image(part: object) -> bool:
    return isinstance(part, dict) and part.get("type") == "image_file"


def merge_tool_resources(resources: Wire, messages: Iterable[Wire], provisioned: Provisioned | None) -> Wire:
    """A thread's or an assistant's tool resources after provisioning: ids instead of descriptions, plus the files of
    the messages. Raises InvalidRequest for more files than the code interpreter may have (A21).
    """
    if provisioned is None:
        return resources
    search, code = _collect_attached_files(messages)
    after = dict(resources)
    if provisioned.vector_store_id is not None and (search or _get_vector_store_params(resources)):
        after[get_resource_owner("vector_store_ids").type] = {"vector_store_ids": [provisioned.vector_store_id]}
    if code:
        tool_type = get_resource_owner("file_ids").type
        existing_file_ids = (resources.get(tool_type) or {}).get("file_ids") or ()
        file_ids = list(dict.fromkeys([*existing_file_ids, *code]))
        after[tool_type] = {"file_ids": validate_file_ids(tool_type, file_ids)}
    return after


def complete_provisioning(session: Session, provisioned: Provisioned | None) -> None:
    """Cancel the cleanup intent: the request is written. Raises UpstreamTimeout if the cleanup has started already."""
    if provisioned is None or provisioned.cleanup_intent_id is None:
        return
    if not cleanup_intents.cancel_intent(session, provisioned.cleanup_intent_id):
        raise UpstreamTimeout("Storing the result of the upstream's work took too long. Please try again.")


def attach_files(session: Session, thread: Wire, messages: Sequence[Wire], provisioned: Provisioned | None) -> Wire:
    """The thread with the attachments of the messages; written if that changed it."""
    resources = merge_tool_resources(thread["tool_resources"], messages, provisioned)
    if resources == thread["tool_resources"]:
        return thread
    after = {**thread, "tool_resources": resources}
    session.put(ObjectKind.THREAD, after)
    return after


def _plan_for_new_thread(thread: Wire, additional_messages: Sequence[Wire]) -> ProvisioningPlan:
    resources: Wire = thread.get("tool_resources", {})
    messages = [*thread.get("messages", ()), *additional_messages]
    plan = _plan_described_store(resources, for_thread=True)
    search, code = _collect_attached_files(messages)
    merge_tool_resources(resources, messages, Provisioned())
    required_file_ids = (*_get_code_file_ids(resources), *code, *_iter_image_file_ids(messages))
    if plan is not None:
        return replace(
            plan,
            search_file_ids=_deduplicate((*plan.search_file_ids, *search)),
            required_file_ids=_deduplicate(required_file_ids),
        )
    return _plan_vector_store(resources, search, required_file_ids)


def _plan_for_existing_thread(thread: Wire, messages: Sequence[Wire]) -> ProvisioningPlan:
    search, code = _collect_attached_files(messages)
    merge_tool_resources(thread["tool_resources"], messages, Provisioned())
    return _plan_vector_store(thread["tool_resources"], search, (*code, *_iter_image_file_ids(messages)))


def _plan_vector_store(
    resources: Wire, search_file_ids: tuple[str, ...], required_file_ids: Iterable[str]
) -> ProvisioningPlan:
    vector_store_ids = get_resource_ids(resources, "vector_store_ids")
    plan = ProvisioningPlan(search_file_ids=search_file_ids, required_file_ids=_deduplicate(required_file_ids))
    if not search_file_ids:
        return plan
    if vector_store_ids:
        return replace(plan, vector_store_id=vector_store_ids[0])
    return replace(plan, new_vector_store=NewVectorStore({"expires_after": _THREAD_STORE_EXPIRY}))


def _plan_described_store(resources: Wire, *, for_thread: bool) -> ProvisioningPlan | None:
    """The plan for the vector store that the resources describe: at most one (A21)."""
    for described in _get_vector_store_params(resources):
        body = {"metadata": described["metadata"]} if described.get("metadata") else {}
        expiry = {"expires_after": _THREAD_STORE_EXPIRY} if for_thread else {}
        store = NewVectorStore({**body, **expiry}, described.get("chunking_strategy"))
        return ProvisioningPlan(new_vector_store=store, search_file_ids=_deduplicate(described.get("file_ids", ())))
    return None


def _get_vector_store_params(resources: object) -> Sequence[Wire]:
    tool_type = get_resource_owner("vector_store_ids").type
    search = resources.get(tool_type) if isinstance(resources, dict) else None
    stores = search.get("vector_stores") if isinstance(search, dict) else None
    return stores if isinstance(stores, list) else ()


def _may_need_provisioning(resources: object) -> bool:
    """Whether tool resources that are not validated yet appear to describe vector stores or to name files."""
    code = resources.get(get_resource_owner("file_ids").type) if isinstance(resources, dict) else None
    return bool(_get_vector_store_params(resources)) or (isinstance(code, dict) and bool(code.get("file_ids")))


def _get_code_file_ids(resources: Wire) -> tuple[str, ...]:
    """The files for code that tool resources name."""
    return get_resource_ids(resources, "file_ids")


def _iter_image_file_ids(messages: Iterable[Wire]) -> Iterable[str]:
    """The files that messages show to the model."""
    parts = (part for message in messages if isinstance(message["content"], list) for part in message["content"])
    return (part["image_file"]["file_id"] for part in parts if part["type"] == "image_file")


def _deduplicate(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _collect_attached_files(messages: Iterable[Wire]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The attached files for searches and for code, each once; one may be for both (A38)."""
    by_kind: dict[ResourceKind, dict[str, None]] = {"vector_store_ids": {}, "file_ids": {}}
    for attachment in (each for message in messages for each in message.get("attachments") or ()):
        for tool in attachment["tools"]:
            kind = HOSTED_TOOLS[tool["type"]].resource_kind
            if kind is not None:
                by_kind[kind][attachment["file_id"]] = None
    search, code = by_kind.values()
    return tuple(search), tuple(code)
