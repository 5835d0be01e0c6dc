"""`/v1/containers`: containers for files and code, which expire after twenty minutes without use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from threadbridge.api_types import JsonObject
from threadbridge.ports import Clock, IdGenerator
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._file_contents import FileBytes, ParsedForm
from threadbridge_adapters.simulator._files import Files
from threadbridge_adapters.simulator._state import SimulatorLimits
from threadbridge_adapters.simulator._validators import paginate

IDLE_MINUTES: Final = 20
MAX_FILE_IDS: Final = 50
CONTAINER_ROOT: Final = "/mnt/data/"
MEMORY_LIMITS: Final = ("1g", "4g", "16g", "64g")

_check_expiry = validators.object_with(
    {"anchor": validators.one_of("last_active_at"), "minutes": validators.integer(minimum=1, maximum=IDLE_MINUTES)},
    required=("anchor", "minutes"),
)
check_memory_limit = validators.one_of(*MEMORY_LIMITS)
check_file_ids = validators.array_of_strings(max_length=MAX_FILE_IDS)


@dataclass(frozen=True, slots=True)
class ContainerFile:
    """A file in a container; `source` is `user` or `assistant`."""

    id: str
    container_id: str
    created_at: int
    path: str
    content: FileBytes
    source: str

    @property
    def name(self) -> str:
        """The path relative to `/mnt/data/`."""
        return self.path.removeprefix(CONTAINER_ROOT)

    def to_wire(self) -> JsonObject:
        """The wire object."""
        return {
            "id": self.id,
            "object": "container.file",
            "created_at": self.created_at,
            "bytes": self.content.size,
            "container_id": self.container_id,
            "path": self.path,
            "source": self.source,
        }


@dataclass(slots=True)
class Container:
    """A container with its files, oldest first."""

    id: str
    name: str
    created_at: int
    last_active_at: float
    minutes: int = IDLE_MINUTES
    memory_limit: str | None = None
    files: dict[str, ContainerFile] = field(default_factory=dict[str, ContainerFile])
    #: Whether code has run in it.
    has_run_code: bool = False

    def is_expired(self, now: float) -> bool:
        return now >= self.last_active_at + self.minutes * 60

    def to_wire(self, now: float) -> JsonObject:
        """The wire object."""
        limit = {} if self.memory_limit is None else {"memory_limit": self.memory_limit}
        return {
            "id": self.id,
            "object": "container",
            "created_at": self.created_at,
            "status": "expired" if self.is_expired(now) else "running",
            "expires_after": {"anchor": "last_active_at", "minutes": self.minutes},
            "last_active_at": int(self.last_active_at),
            **limit,
            "name": self.name,
        }


class Containers:
    """The operations on containers and their files. Reading a container extends its life, as at the service."""

    def __init__(self, files: Files, limits: SimulatorLimits, clock: Clock, new_id: IdGenerator) -> None:
        self._files = files
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._containers: OrderedDict[str, Container] = OrderedDict()

    def create(self, raw: Any) -> JsonObject:
        allowed = {
            "name": validators.string(),
            "file_ids": check_file_ids,
            "expires_after": _check_expiry,
            "memory_limit": check_memory_limit,
        }
        body = validators.check_members("", raw, allowed, required=("name",))
        container = self.create_container(
            body["name"],
            file_ids=body.get("file_ids") or (),
            minutes=(body.get("expires_after") or JsonObject()).get("minutes", IDLE_MINUTES),
            memory_limit=body.get("memory_limit"),
        )
        return container.to_wire(self._clock.now())

    def create_container(
        self, name: str, *, file_ids: Sequence[str], minutes: int = IDLE_MINUTES, memory_limit: str | None = None
    ) -> Container:
        """A new container with these uploaded files in it."""
        sources = [self._files.get_file(file_id) for file_id in file_ids]
        now = self._clock.now()
        container = Container(self._new_id("cntr"), name, int(now), now, minutes, memory_limit)
        self._containers[container.id] = container
        while len(self._containers) > self._limits.containers:
            self._containers.popitem(last=False)
        for source in sources:
            self.put_file(container, f"{source.id}-{source.filename}", source.content, source="user")
        return container

    def list_all(self, query: Mapping[str, str]) -> JsonObject:
        now = self._clock.now()
        return paginate([container.to_wire(now) for container in self._containers.values()], query)

    def retrieve(self, container_id: str) -> JsonObject:
        container = self._get_container(container_id)
        if not container.is_expired(self._clock.now()):
            self._touch(container)
        return container.to_wire(self._clock.now())

    def delete(self, container_id: str) -> JsonObject:
        del self._containers[self._get_container(container_id).id]
        return {"id": container_id, "object": "container.deleted", "deleted": True}

    def get_running(self, container_id: str) -> Container:
        """A container; this use extends its life. Raises the service's errors for a missing or expired one."""
        container = self._get_container(container_id)
        if container.is_expired(self._clock.now()):
            raise errors.container_expired()
        self._touch(container)
        return container

    def is_running(self, container_id: str) -> bool:
        """Whether the container exists and has not expired."""
        container = self._containers.get(container_id)
        return container is not None and not container.is_expired(self._clock.now())

    def create_file(self, container_id: str, form: ParsedForm) -> JsonObject:
        """Add a file with the given contents to the container."""
        container = self.get_running(container_id)
        if form.file is None:
            raise errors.missing_property("file")
        content = form.file.content
        return self.put_file(container, f"{content.md5}-{form.file.filename}", content, source="user").to_wire()

    def copy_file(self, container_id: str, raw: Any) -> JsonObject:
        """Add an uploaded file to the container."""
        container = self.get_running(container_id)
        body = validators.check_members("", raw, {"file_id": validators.string()}, required=("file_id",))
        source = self._files.get_file(body["file_id"])
        return self.put_file(container, f"{source.id}-{source.filename}", source.content, source="user").to_wire()

    def list_files(self, container_id: str, query: Mapping[str, str]) -> JsonObject:
        return paginate([file.to_wire() for file in self.get_running(container_id).files.values()], query)

    def retrieve_file(self, container_id: str, file_id: str) -> JsonObject:
        return self._get_file(container_id, file_id).to_wire()

    def read_file_content(self, container_id: str, file_id: str) -> FileBytes:
        return self._get_file(container_id, file_id).content

    def delete_file(self, container_id: str, file_id: str) -> JsonObject:
        self._get_file(container_id, file_id)
        del self._containers[container_id].files[file_id]
        return {"id": file_id, "object": "container.file.deleted", "deleted": True}

    def put_file(self, container: Container, name: str, content: FileBytes, *, source: str) -> ContainerFile:
        """Store a file under `/mnt/data/`, replacing one with the same path."""
        return self._add_file(container, self._new_id("cfile"), name, content, source)

    def put_image(self, container: Container, content: FileBytes) -> ContainerFile:
        """Store an image that code displayed; its file name is its id (recorded)."""
        file_id = self._new_id("cfile")
        return self._add_file(container, file_id, f"{file_id}.png", content, "assistant")

    def _add_file(
        self, container: Container, file_id: str, name: str, content: FileBytes, source: str
    ) -> ContainerFile:
        path = CONTAINER_ROOT + name
        for other in [file for file in container.files.values() if file.path == path]:
            del container.files[other.id]
        if len(container.files) >= self._limits.container_files:
            text = f"The simulator keeps at most {self._limits.container_files} files in a container."
            raise errors.ServiceError(text)
        file = ContainerFile(file_id, container.id, int(self._clock.now()), path, content, source)
        container.files[file.id] = file
        return file

    def _get_container(self, container_id: str) -> Container:
        container = self._containers.get(container_id)
        if container is None:
            raise errors.container_not_found(container_id)
        return container

    def _get_file(self, container_id: str, file_id: str) -> ContainerFile:
        file = self.get_running(container_id).files.get(file_id)
        if file is None:
            raise errors.ServiceError(f"Container file with id '{file_id}' not found.", status=404)
        return file

    def _touch(self, container: Container) -> None:
        container.last_active_at = self._clock.now()
