"""The resources of a run's hosted tools: vector stores and files of its assistant and its thread (A28, A51), and the
container in which the thread's code runs: one per thread, until the upstream deletes it (§4, G4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict, cast

from threadbridge.api_types import JsonMapping, JsonObject, RunObject, is_json_list
from threadbridge.ports import ObjectKind, Session
from threadbridge.translation.generated_files import ContainerFileRef
from threadbridge.translation.hosted_tools.registry import get_resource_ids, list_hosted_tools


class _ContainerRow(TypedDict):
    """A thread's container as it is stored, under the id of the thread."""

    id: str
    created_at: int
    container_id: str
    file_ids: list[str]
    made: dict[str, str]


@dataclass(frozen=True, slots=True)
class ThreadContainer:
    """A container, the files that were copied into it, and the lasting ids of files that code created there."""

    container_id: str
    file_ids: tuple[str, ...] = ()
    generated_file_ids: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def known_files(self) -> Mapping[ContainerFileRef, str]:
        """The lasting ids by location in the container."""
        return {(self.container_id, file_id): lasting for file_id, lasting in self.generated_file_ids.items()}


@dataclass(frozen=True, slots=True)
class RunToolResources:
    """Vector stores to search, and files for code. A run waits only for the thread's own stores (A56)."""

    vector_store_ids: tuple[str, ...] = ()
    thread_vector_store_ids: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    #: The thread's container, if code has run before.
    container: ThreadContainer | None = None
    #: The `tool_resources` by tool type, the thread's before those of the assistant.
    by_tool: Mapping[str, JsonObject] = field(default_factory=dict[str, JsonObject])


def collect_tool_resources(session: Session, run: RunObject) -> RunToolResources | None:
    """The resources of a run that has hosted tools; None for any other, without reading rows.

    They are read again for every turn, since a file may have been attached to the thread. Those of the run itself
    (`POST /threads/runs`) replace the assistant's.
    """
    tools = list_hosted_tools(run["tools"])
    if not tools:
        return None
    # The keys are read through the registry of hosted tools, which may have more than the API.
    thread: JsonMapping = session.get(ObjectKind.THREAD, run["thread_id"]) or {}
    own: JsonMapping = thread.get("tool_resources") or {}
    assistant: JsonMapping = session.get(ObjectKind.ASSISTANT, run["assistant_id"]) or {}
    shared: JsonMapping = run["tool_resources"] or assistant.get("tool_resources") or {}

    def merge_ids(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*first, *second)))

    by_tool: JsonObject = {**shared, **own}
    store_ids = get_resource_ids(own, "vector_store_ids")
    uses_container = any(tool.uses_container for tool in tools)
    return RunToolResources(
        vector_store_ids=merge_ids(get_resource_ids(shared, "vector_store_ids"), store_ids),
        thread_vector_store_ids=store_ids,
        file_ids=merge_ids(get_resource_ids(shared, "file_ids"), get_resource_ids(own, "file_ids")),
        container=get_thread_container(session, run["thread_id"]) if uses_container else None,
        by_tool=by_tool,
    )


def get_thread_container(session: Session, thread_id: str) -> ThreadContainer | None:
    """The thread's container, if any."""
    row = cast("_ContainerRow | None", session.get(ObjectKind.CONTAINER, thread_id))
    return None if row is None else ThreadContainer(row["container_id"], tuple(row["file_ids"]), row["made"])


def save_thread_container(session: Session, thread_id: str, container: ThreadContainer, *, now: int) -> None:
    """Save the thread's container. Does nothing for a thread that was deleted meanwhile."""
    if session.get(ObjectKind.THREAD, thread_id) is None:
        return
    row: _ContainerRow = {
        "id": thread_id,
        "created_at": now,
        "container_id": container.container_id,
        "file_ids": list(container.file_ids),
        "made": dict(container.generated_file_ids),
    }
    if session.get(ObjectKind.CONTAINER, thread_id) is None:
        session.add(ObjectKind.CONTAINER, row)
    else:
        session.put(ObjectKind.CONTAINER, row)


def record_generated_files(
    session: Session, thread_id: str, generated_file_ids: Mapping[ContainerFileRef, str], *, now: int
) -> None:
    """Record which of the container's files are stored, so that the next turn does not store them again."""
    container = get_thread_container(session, thread_id)
    if container is None:
        return
    new_file_ids = {
        file_id: lasting
        for (container_id, file_id), lasting in generated_file_ids.items()
        if container_id == container.container_id
    }
    if new_file_ids.keys() - container.generated_file_ids.keys():
        known = {**container.generated_file_ids, **new_file_ids}
        updated = ThreadContainer(container.container_id, container.file_ids, known)
        save_thread_container(session, thread_id, updated, now=now)


#: Objects that one transaction changes.
_DETACH_BATCH_SIZE = 200


def detach_resource(session: Session, resource_id: str) -> bool:
    """Remove a deleted file or vector store from the resources of assistants and threads, as the legacy service did.

    Returns whether there may be more of them: call it again, in a transaction of its own.
    """
    object_ids = session.list_referencing_objects(resource_id, limit=_DETACH_BATCH_SIZE)
    for object_id in object_ids:
        for kind in (ObjectKind.THREAD, ObjectKind.ASSISTANT):
            body: JsonMapping | None = session.get(kind, object_id)
            if body is not None:
                resources = {
                    tool: {
                        name: [each for each in ids if each != resource_id] if is_json_list(ids) else ids
                        for name, ids in listed.items()
                    }
                    for tool, listed in body["tool_resources"].items()
                }
                session.put(kind, {**body, "tool_resources": resources})
    return len(object_ids) == _DETACH_BATCH_SIZE
