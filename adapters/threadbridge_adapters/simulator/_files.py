"""`/v1/files`: uploaded files by id, with purpose and expiry."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from threadbridge.ports import Clock, IdGenerator, Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._file_bytes import FileBytes
from threadbridge_adapters.simulator._multipart_parser import ParsedForm
from threadbridge_adapters.simulator._pagination import paginate
from threadbridge_adapters.simulator._state import SimulatorLimits

#: In the order of the recorded error.
PURPOSES: Final = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
#: Purposes of files that the service accepts and whose contents it does not return.
NOT_DOWNLOADABLE_PURPOSES: Final = frozenset({"assistants", "user_data"})
MAX_PAGE_SIZE: Final = 10_000
EXPIRY_SECONDS_RANGE: Final = (3_600, 2_592_000)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file."""

    id: str
    purpose: str
    filename: str
    content: FileBytes
    created_at: int
    expires_at: int | None = None

    def to_wire(self) -> Wire:
        """The wire object, with the keys of recent recordings."""
        return {
            "object": "file",
            "id": self.id,
            "purpose": self.purpose,
            "filename": self.filename,
            "bytes": self.content.size,
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "status": "processed",
            "status_details": None,
        }


class Files:
    """The operations on files. The oldest files are dropped beyond the limits on number and bytes."""

    def __init__(self, limits: SimulatorLimits, clock: Clock, new_id: IdGenerator) -> None:
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._files: OrderedDict[str, StoredFile] = OrderedDict()
        self._total_bytes = 0
        self._deletion_listeners: list[Callable[[str], None]] = []

    def add_deletion_listener(self, listener: Callable[[str], None]) -> None:
        """Call `listener` with the id of every deleted file, for its removal from vector stores."""
        self._deletion_listeners.append(listener)

    def create(self, form: ParsedForm) -> Wire:
        """Store the file of a form."""
        if form.file is None:
            raise errors.missing_property("file")
        purpose = check_purpose(form.fields.get("purpose"))
        if form.file.content.size == 0:
            raise errors.files_api_error("File is empty.", param="file")
        expiry = _parse_expiry_fields(form.fields)
        return self.add(form.file.filename, form.file.content, purpose=purpose, expires_after=expiry).to_wire()

    def add(self, filename: str, content: FileBytes, *, purpose: str, expires_after: int | None = None) -> StoredFile:
        """Store a file under a new id."""
        now = int(self._clock.now())
        expires_at = None if expires_after is None else now + expires_after
        stored = StoredFile(self._new_id("file"), purpose, filename, content, now, expires_at)
        self._files[stored.id] = stored
        self._total_bytes += content.size
        while len(self._files) > self._limits.files or self._total_bytes > self._limits.total_file_bytes:
            self._delete(next(iter(self._files)))
        return stored

    def list_all(self, query: Mapping[str, str]) -> Wire:
        """Newest first unless `order` says otherwise; `purpose` is a filter."""
        self._delete_expired()
        purpose = query.get("purpose")
        files = [file.to_wire() for file in self._files.values() if purpose in (None, file.purpose)]
        return paginate(files, query, max_limit=MAX_PAGE_SIZE, default_limit=MAX_PAGE_SIZE)

    def get_file(self, file_id: str) -> StoredFile:
        """The file with this id. Raises the service's 404 (recorded, A102)."""
        self._delete_expired()
        file = self._files.get(file_id)
        if file is None:
            raise errors.file_not_found(file_id)
        return file

    def retrieve(self, file_id: str) -> Wire:
        return self.get_file(file_id).to_wire()

    def get_downloadable_bytes(self, file_id: str) -> FileBytes:
        """The contents. Raises the service's error if the purpose does not allow downloads."""
        file = self.get_file(file_id)
        if file.purpose in NOT_DOWNLOADABLE_PURPOSES:
            raise errors.files_api_error(f"Not allowed to download files of purpose: {file.purpose}")
        return file.content

    def delete(self, file_id: str) -> Wire:
        self.get_file(file_id)
        self._delete(file_id)
        return {"object": "file", "deleted": True, "id": file_id}

    def _delete_expired(self) -> None:
        now = self._clock.now()
        for file in [file for file in self._files.values() if file.expires_at is not None and file.expires_at <= now]:
            self._delete(file.id)

    def _delete(self, file_id: str) -> None:
        self._total_bytes -= self._files.pop(file_id).content.size
        for listener in self._deletion_listeners:
            listener(file_id)


def check_purpose(value: Any) -> str:
    """Check that the service has this purpose."""
    if value is None:
        raise errors.missing_property("purpose")
    if value not in PURPOSES:
        allowed = "[" + ", ".join(f"'{name}'" for name in PURPOSES) + "]"
        raise errors.files_api_error(f"'{value}' is not one of {allowed} - 'purpose'", param="purpose")
    return str(value)


def check_expiry(path: str, value: Any) -> None:
    """Check the `expires_after` of a file."""
    minimum, maximum = EXPIRY_SECONDS_RANGE
    allowed = {
        "anchor": validators.one_of("created_at"),
        "seconds": validators.integer(minimum=minimum, maximum=maximum),
    }
    validators.check_members(path, value, allowed, required=("anchor", "seconds"))


def _parse_expiry_fields(fields: Mapping[str, str]) -> int | None:
    prefix = "expires_after["
    expiry: Wire = {
        name.removeprefix(prefix).removesuffix("]"): value for name, value in fields.items() if name.startswith(prefix)
    }
    if not expiry:
        return None
    if str(expiry.get("seconds", "")).isdecimal():
        expiry["seconds"] = int(expiry["seconds"])
    check_expiry("expires_after", expiry)
    return int(expiry["seconds"])
