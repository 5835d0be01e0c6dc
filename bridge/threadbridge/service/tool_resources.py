"""What the hosted tools of a run work on: the assistant's resources and its thread's, together (A28, A51)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from threadbridge.ports import ObjectKind, Session, Wire
from threadbridge.service import containers
from threadbridge.service.containers import ThreadContainer

_HOSTED_TOOL_TYPES = frozenset({"file_search", "code_interpreter"})


@dataclass(frozen=True, slots=True)
class HostedToolResources:
    """Vector stores to search and files for code. Only the thread's own stores are waited for (A56)."""

    vector_store_ids: tuple[str, ...] = ()
    thread_vector_store_ids: tuple[str, ...] = ()
    file_ids: tuple[str, ...] = ()
    #: Whether code may run, and the thread's container where it has run before.
    runs_code: bool = False
    container: ThreadContainer | None = None


def collect_tool_resources(session: Session, run: Wire) -> HostedToolResources | None:
    """The resources of a run that has hosted tools; None for any other, which costs nothing.

    They are looked up anew for every turn: a file may have come to the thread since. Those given to the run itself
    (`POST /threads/runs`) stand in place of the assistant's.
    """
    if not any(tool["type"] in _HOSTED_TOOL_TYPES for tool in run["tools"]):
        return None
    runs_code = any(tool["type"] == "code_interpreter" for tool in run["tools"])
    thread = session.get(ObjectKind.THREAD, run["thread_id"]) or {}
    own: Wire = thread.get("tool_resources") or {}
    assistant = session.get(ObjectKind.ASSISTANT, run["assistant_id"]) or {}
    shared: Wire = run["tool_resources"] or assistant.get("tool_resources") or {}
    return HostedToolResources(
        vector_store_ids=_deduplicate([*_get_vector_store_ids(shared), *_get_vector_store_ids(own)]),
        thread_vector_store_ids=_deduplicate(_get_vector_store_ids(own)),
        file_ids=_deduplicate([*_get_file_ids(shared), *_get_file_ids(own)]),
        runs_code=runs_code,
        container=containers.get_thread_container(session, run["thread_id"]) if runs_code else None,
    )


def _get_vector_store_ids(resources: Wire) -> Iterable[str]:
    return (resources.get("file_search") or {}).get("vector_store_ids") or ()


def _get_file_ids(resources: Wire) -> Iterable[str]:
    return (resources.get("code_interpreter") or {}).get("file_ids") or ()


def _deduplicate(ids: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))
