"""The container in which a thread's code runs: one per thread, until the upstream deletes it (§4, G4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from threadbridge.ports import ObjectKind, Session, Wire
from threadbridge.translation.produced_files import ContainerFileRef


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


def get_thread_container(session: Session, thread_id: str) -> ThreadContainer | None:
    """The thread's container, if any."""
    row = session.get(ObjectKind.CONTAINER, thread_id)
    if row is None:
        return None
    return ThreadContainer(row["container_id"], tuple(row["file_ids"]), row["made"])


def save_thread_container(session: Session, thread_id: str, container: ThreadContainer, *, now: int) -> None:
    """Save the thread's container. Does nothing for a thread that was deleted meanwhile."""
    if session.get(ObjectKind.THREAD, thread_id) is None:
        return
    row: Wire = {
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
        place[1]: lasting for place, lasting in generated_file_ids.items() if place[0] == container.container_id
    }
    if new_file_ids.keys() - container.generated_file_ids.keys():
        updated = ThreadContainer(
            container.container_id, container.file_ids, {**container.generated_file_ids, **new_file_ids}
        )
        save_thread_container(session, thread_id, updated, now=now)
