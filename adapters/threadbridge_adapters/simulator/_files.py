"""`/v1/files`: what was uploaded, by id, with its purpose and its end."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from threadbridge.ports import Clock, IdGenerator, Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as checks
from threadbridge_adapters.simulator._file_bytes import Content
from threadbridge_adapters.simulator._multipart_parser import Form
from threadbridge_adapters.simulator._pagination import page
from threadbridge_adapters.simulator._state import Limits

#: In the order of the recorded refusal.
PURPOSES: Final = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
#: Files that the service takes and does not give back.
UNREADABLE: Final = frozenset({"assistants", "user_data"})
LARGEST_PAGE: Final = 10_000
EXPIRY_SECONDS: Final = (3_600, 2_592_000)


@dataclass(frozen=True, slots=True)
class StoredFile:
    """An uploaded file."""

    id: str
    purpose: str
    filename: str
    content: Content
    created_at: int
    expires_at: int | None = None

    def shown(self) -> Wire:
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
    """The operations on files. The oldest go when there are too many, or too many bytes."""

    def __init__(self, limits: Limits, clock: Clock, new_id: IdGenerator) -> None:
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._files: OrderedDict[str, StoredFile] = OrderedDict()
        self._bytes = 0
        self._forgotten: list[Callable[[str], None]] = []

    def when_forgotten(self, listener: Callable[[str], None]) -> None:
        """Call this with the id of every file that goes: it leaves vector stores too."""
        self._forgotten.append(listener)

    def create(self, form: Form) -> Wire:
        """Keep what a form brought."""
        if form.file is None:
            raise errors.required_property("file")
        purpose = checked_purpose(form.fields.get("purpose"))
        if form.file.content.size == 0:
            raise errors.of_files("File is empty.", param="file")
        expiry = _expiry_of_form(form.fields)
        return self.keep(form.file.filename, form.file.content, purpose=purpose, expires_after=expiry).shown()

    def keep(self, filename: str, content: Content, *, purpose: str, expires_after: int | None = None) -> StoredFile:
        """Remember a file under a new id."""
        now = int(self._clock.now())
        expires_at = None if expires_after is None else now + expires_after
        stored = StoredFile(self._new_id("file"), purpose, filename, content, now, expires_at)
        self._files[stored.id] = stored
        self._bytes += content.size
        while len(self._files) > self._limits.files or self._bytes > self._limits.kept_bytes:
            self._forget(next(iter(self._files)))
        return stored

    def list_all(self, query: Mapping[str, str]) -> Wire:
        """Newest first unless `order` says otherwise; `purpose` keeps those of one."""
        self._expire()
        purpose = query.get("purpose")
        shown = [file.shown() for file in self._files.values() if purpose in (None, file.purpose)]
        return page(shown, query, largest=LARGEST_PAGE, usual=LARGEST_PAGE)

    def file(self, file_id: str) -> StoredFile:
        """The file of this id, or the service's 404 (recorded, A102)."""
        self._expire()
        found = self._files.get(file_id)
        if found is None:
            raise errors.file_not_found(file_id)
        return found

    def retrieve(self, file_id: str) -> Wire:
        return self.file(file_id).shown()

    def content(self, file_id: str) -> Content:
        """The bytes, unless the purpose forbids it."""
        found = self.file(file_id)
        if found.purpose in UNREADABLE:
            raise errors.of_files(f"Not allowed to download files of purpose: {found.purpose}")
        return found.content

    def delete(self, file_id: str) -> Wire:
        self.file(file_id)
        self._forget(file_id)
        return {"object": "file", "deleted": True, "id": file_id}

    def _expire(self) -> None:
        now = self._clock.now()
        for file in [file for file in self._files.values() if file.expires_at is not None and file.expires_at <= now]:
            self._forget(file.id)

    def _forget(self, file_id: str) -> None:
        self._bytes -= self._files.pop(file_id).content.size
        for listener in self._forgotten:
            listener(file_id)


def checked_purpose(value: Any) -> str:
    """A purpose the service knows."""
    if value is None:
        raise errors.required_property("purpose")
    if value not in PURPOSES:
        allowed = "[" + ", ".join(f"'{name}'" for name in PURPOSES) + "]"
        raise errors.of_files(f"'{value}' is not one of {allowed} - 'purpose'", param="purpose")
    return str(value)


def check_expiry(path: str, value: Any) -> None:
    """`expires_after` of a file."""
    least, most = EXPIRY_SECONDS
    allowed = {"anchor": checks.one_of("created_at"), "seconds": checks.integer(least=least, most=most)}
    checks.members(path, value, allowed, required=("anchor", "seconds"))


def _expiry_of_form(fields: Mapping[str, str]) -> int | None:
    prefix = "expires_after["
    given: Wire = {
        name.removeprefix(prefix).removesuffix("]"): value for name, value in fields.items() if name.startswith(prefix)
    }
    if not given:
        return None
    if str(given.get("seconds", "")).isdecimal():
        given["seconds"] = int(given["seconds"])
    check_expiry("expires_after", given)
    return int(given["seconds"])
