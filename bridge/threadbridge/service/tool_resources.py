"""The resources of a run's hosted tools, from its assistant and its thread (A28, A51)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from threadbridge.ports import ObjectKind, Session, Wire
from threadbridge.service import containers
from threadbridge.service.containers import ThreadContainer
from threadbridge.translation.hosted_tools.registry import get_resource_ids, list_hosted_tools


@dataclass(frozen=True, slots=True)
class RunToolResources:
    """Vector stores to search, and files for code. A run waits only for the thread's own stores (A56)."""

    vector_store_ids: tuple[str, ...] = ()
    thread_vector_store_ids: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    #: The thread's container, if code has run before.
    container: ThreadContainer | None = None
    #: The `tool_resources` by tool type, the thread's before those of the assistant.
    by_tool: Mapping[str, Wire] = field(default_factory=dict[str, Wire])


def collect_tool_resources(session: Session, run: Wire) -> RunToolResources | None:
    """The resources of a run that has hosted tools; None for any other, without reading rows.

    They are read again for every turn, since a file may have been attached to the thread. Those of the run itself
    (`POST /threads/runs`) replace the assistant's.
    """
    tools = list_hosted_tools(run["tools"])
    if not tools:
        return None
    thread = session.get(ObjectKind.THREAD, run["thread_id"]) or {}
    own: Wire = thread.get("tool_resources") or {}
    assistant = session.get(ObjectKind.ASSISTANT, run["assistant_id"]) or {}
    shared: Wire = run["tool_resources"] or assistant.get("tool_resources") or {}
    store_ids = get_resource_ids(own, "vector_store_ids")
    uses_container = any(tool.uses_container for tool in tools)
    return RunToolResources(
        vector_store_ids=_merge_ids(get_resource_ids(shared, "vector_store_ids"), store_ids),
        thread_vector_store_ids=store_ids,
        file_ids=_merge_ids(get_resource_ids(shared, "file_ids"), get_resource_ids(own, "file_ids")),
        container=containers.get_thread_container(session, run["thread_id"]) if uses_container else None,
        by_tool={**shared, **own},
    )


def _merge_ids(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*first, *second)))
