"""The container in which a thread's code runs: one for each thread, as long as the service behind keeps it (§4, G4)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from threadbridge.ports import Kind, Session, Wire
from threadbridge.translation.produced_files import ContainerPlace


@dataclass(frozen=True, slots=True)
class ThreadContainer:
    """A container, the files that were put into it, and the lasting ids of those that code made there."""

    container_id: str
    file_ids: tuple[str, ...] = ()
    made: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def known_files(self) -> Mapping[ContainerPlace, str]:
        """The lasting ids by place."""
        return {(self.container_id, file_id): lasting for file_id, lasting in self.made.items()}


def of_thread(session: Session, thread_id: str) -> ThreadContainer | None:
    """The thread's container, where it has one."""
    row = session.get(Kind.CONTAINER, thread_id)
    if row is None:
        return None
    return ThreadContainer(row["container_id"], tuple(row["file_ids"]), row["made"])


def put(session: Session, thread_id: str, container: ThreadContainer, *, now: int) -> None:
    """From now on this is the thread's container. Does nothing for a thread that was deleted meanwhile."""
    if session.get(Kind.THREAD, thread_id) is None:
        return
    row: Wire = {
        "id": thread_id,
        "created_at": now,
        "container_id": container.container_id,
        "file_ids": list(container.file_ids),
        "made": dict(container.made),
    }
    if session.get(Kind.CONTAINER, thread_id) is None:
        session.add(Kind.CONTAINER, row)
    else:
        session.put(Kind.CONTAINER, row)


def note_made(session: Session, thread_id: str, made: Mapping[ContainerPlace, str], *, now: int) -> None:
    """Remember which of the container's files have been kept, so that the next turn does not keep them again."""
    container = of_thread(session, thread_id)
    if container is None:
        return
    here = {place[1]: lasting for place, lasting in made.items() if place[0] == container.container_id}
    if here.keys() - container.made.keys():
        after = ThreadContainer(container.container_id, container.file_ids, {**container.made, **here})
        put(session, thread_id, after, now=now)
