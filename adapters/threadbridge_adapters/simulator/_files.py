"""`/v1/files` and `/v1/uploads`: uploaded files by id, and large files that arrive in parts."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from threadbridge.api_types import JsonObject
from threadbridge.ports import Clock, IdGenerator
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._file_contents import FileBytes, ParsedForm, concatenate
from threadbridge_adapters.simulator._state import SimulatorLimits
from threadbridge_adapters.simulator._validators import paginate

#: In the order of the recorded error.
PURPOSES: Final = ("fine-tune", "assistants", "batch", "user_data", "vision", "evals")
#: Purposes of files that the service accepts and whose contents it does not return.
NOT_DOWNLOADABLE_PURPOSES: Final = frozenset({"assistants", "user_data"})
MAX_PAGE_SIZE: Final = 10_000
MAX_UPLOAD_BYTES: Final = 8 * 1024**3
MAX_PART_BYTES: Final = 64 * 1024**2
UPLOAD_LIFETIME_SECONDS: Final = 3_600
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

    def to_wire(self) -> JsonObject:
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

    def create(self, form: ParsedForm) -> JsonObject:
        """Store the file of a form."""
        if form.file is None:
            raise errors.missing_property("file")
        purpose = check_purpose(form.fields.get("purpose"))
        if form.file.content.size == 0:
            raise errors.files_api_error("File is empty.", param="file")
        expiry: JsonObject = {
            name.removeprefix("expires_after[").removesuffix("]"): value
            for name, value in form.fields.items()
            if name.startswith("expires_after[")
        }
        if expiry:
            if str(expiry.get("seconds", "")).isdecimal():
                expiry["seconds"] = int(expiry["seconds"])
            check_expiry("expires_after", expiry)
        return self.add(
            form.file.filename, form.file.content, purpose=purpose, expires_after=expiry.get("seconds")
        ).to_wire()

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

    def list_all(self, query: Mapping[str, str]) -> JsonObject:
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

    def retrieve(self, file_id: str) -> JsonObject:
        return self.get_file(file_id).to_wire()

    def get_downloadable_bytes(self, file_id: str) -> FileBytes:
        """The contents. Raises the service's error if the purpose does not allow downloads."""
        file = self.get_file(file_id)
        if file.purpose in NOT_DOWNLOADABLE_PURPOSES:
            raise errors.files_api_error(f"Not allowed to download files of purpose: {file.purpose}")
        return file.content

    def delete(self, file_id: str) -> JsonObject:
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


@dataclass(slots=True)
class _Upload:
    id: str
    created_at: int
    request: JsonObject
    status: str = "pending"
    parts: dict[str, FileBytes] = field(default_factory=dict[str, FileBytes])
    file: JsonObject | None = None

    @property
    def expires_at(self) -> int:
        return self.created_at + UPLOAD_LIFETIME_SECONDS

    def to_wire(self) -> JsonObject:
        return {
            "id": self.id,
            "object": "upload",
            "bytes": self.request["bytes"],
            "created_at": self.created_at,
            "expires_at": self.expires_at,
            "file": self.file,
            "filename": self.request["filename"],
            "purpose": self.request["purpose"],
            "status": self.status,
        }


class Uploads:
    """The operations on uploads. An upload that is not completed within an hour expires."""

    def __init__(self, files: Files, limits: SimulatorLimits, clock: Clock, new_id: IdGenerator) -> None:
        self._files = files
        self._limits = limits
        self._clock = clock
        self._new_id = new_id
        self._uploads: OrderedDict[str, _Upload] = OrderedDict()

    def create(self, raw: Any) -> JsonObject:
        body = validators.check_members(
            "",
            raw,
            {
                "bytes": validators.integer(minimum=1, maximum=MAX_UPLOAD_BYTES),
                "filename": validators.string(),
                "mime_type": validators.string(),
                "purpose": validators.anything,
                "expires_after": check_expiry,
            },
            required=("bytes", "filename", "mime_type", "purpose"),
        )
        check_purpose(body["purpose"])
        upload = _Upload(self._new_id("upload"), int(self._clock.now()), body)
        self._uploads[upload.id] = upload
        while len(self._uploads) > self._limits.uploads:
            self._uploads.popitem(last=False)
        return upload.to_wire()

    def add_part(self, upload_id: str, form: ParsedForm) -> JsonObject:
        """Store a part; parts may arrive in any order."""
        upload = self.get_pending(upload_id)
        if form.file is None:
            raise errors.missing_property("data")
        content = form.file.content
        if sum(part.size for part in upload.parts.values()) + content.size > upload.request["bytes"]:
            raise _wrong_size_error(upload)
        part_id = self._new_id("part")
        upload.parts[part_id] = content
        return {
            "id": part_id,
            "object": "upload.part",
            "created_at": int(self._clock.now()),
            "upload_id": upload_id,
        }

    def complete(self, upload_id: str, raw: Any) -> JsonObject:
        """Join the named parts in that order; their total size must be the size given at creation."""
        upload = self.get_pending(upload_id)
        allowed = {"part_ids": validators.array_of_strings(), "md5": validators.string()}
        body = validators.check_members("", raw, allowed, required=("part_ids",))
        for part_id in body["part_ids"]:
            if part_id not in upload.parts:
                raise errors.ServiceError(f"No part found with id '{part_id}'.", param="part_ids")
        parts = [upload.parts[part_id] for part_id in body["part_ids"]]
        if sum(part.size for part in parts) != upload.request["bytes"]:
            raise _wrong_size_error(upload)
        content = concatenate(parts, limit=MAX_UPLOAD_BYTES, too_large=_wrong_size_error(upload))
        if body.get("md5") not in (None, content.md5):
            raise errors.ServiceError("The MD5 checksum of the upload does not match.", param="md5")
        request = upload.request
        seconds = (request.get("expires_after") or JsonObject()).get("seconds")
        upload.file = self._files.add(
            request["filename"], content, purpose=request["purpose"], expires_after=seconds
        ).to_wire()
        upload.status = "completed"
        upload.parts.clear()
        return upload.to_wire()

    def cancel(self, upload_id: str) -> JsonObject:
        upload = self.get_pending(upload_id)
        upload.status = "cancelled"
        upload.parts.clear()
        return upload.to_wire()

    def get_pending(self, upload_id: str) -> _Upload:
        """The pending upload with this id. Raises the service's errors for another one."""
        upload = self._uploads.get(upload_id)
        if upload is None:
            raise errors.ServiceError(f"No upload found with id '{upload_id}'.", status=404)
        if upload.status == "pending" and self._clock.now() >= upload.expires_at:
            upload.status = "expired"
            upload.parts.clear()
        if upload.status != "pending":
            raise errors.ServiceError(f"Upload '{upload_id}' is {upload.status}.")
        return upload


def _wrong_size_error(upload: _Upload) -> errors.ServiceError:
    total = upload.request["bytes"]
    return errors.ServiceError(f"The parts of an upload must add up to the {total} bytes it was created with.")
