"""`/v1/uploads`: large files in parts, which become one file when the upload is completed."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

from threadbridge.ports import Clock, IdGenerator, Wire
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _validators as validators
from threadbridge_adapters.simulator._file_bytes import FileBytes, concatenate
from threadbridge_adapters.simulator._files import Files, check_expiry, check_purpose
from threadbridge_adapters.simulator._multipart_parser import ParsedForm
from threadbridge_adapters.simulator._state import SimulatorLimits

MAX_UPLOAD_BYTES: Final = 8 * 1024**3
MAX_PART_BYTES: Final = 64 * 1024**2
LIFETIME_SECONDS: Final = 3_600


@dataclass(slots=True)
class _Upload:
    id: str
    created_at: int
    request: Wire
    status: str = "pending"
    parts: dict[str, FileBytes] = field(default_factory=dict[str, FileBytes])
    file: Wire | None = None

    @property
    def expires_at(self) -> int:
        return self.created_at + LIFETIME_SECONDS

    def to_wire(self) -> Wire:
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

    def create(self, raw: Any) -> Wire:
        body = validators.check_members(
            "",
            raw,
            {
                "bytes": validators.integer(minimum=1, maximum=MAX_UPLOAD_BYTES),
                "filename": validators.string(),
                "mime_type": validators.string(),
                "purpose": lambda _, value: _validate_purpose(value),
                "expires_after": check_expiry,
            },
            required=("bytes", "filename", "mime_type", "purpose"),
        )
        upload = _Upload(self._new_id("upload"), int(self._clock.now()), body)
        self._uploads[upload.id] = upload
        while len(self._uploads) > self._limits.uploads:
            self._uploads.popitem(last=False)
        return upload.to_wire()

    def add_part(self, upload_id: str, form: ParsedForm) -> Wire:
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

    def complete(self, upload_id: str, raw: Any) -> Wire:
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
        seconds = (request.get("expires_after") or {}).get("seconds")
        upload.file = self._files.add(
            request["filename"], content, purpose=request["purpose"], expires_after=seconds
        ).to_wire()
        upload.status = "completed"
        upload.parts.clear()
        return upload.to_wire()

    def cancel(self, upload_id: str) -> Wire:
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


def _validate_purpose(value: Any) -> None:
    check_purpose(value)


def _wrong_size_error(upload: _Upload) -> errors.ServiceError:
    total = upload.request["bytes"]
    return errors.ServiceError(f"The parts of an upload must add up to the {total} bytes it was created with.")
