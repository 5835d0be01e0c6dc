"""The bytes of the files that an archive holds: one file each below `contents/`, complete or absent."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Final

from threadbridge.api_types import JsonObject
from threadbridge.errors import BridgeError
from threadbridge_migrate.archive.reader import CONTENTS_FOLDER, open_private
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.references import is_usable_id
from threadbridge_migrate.export.thread_source import FileSource

#: What a source answers if it has the file but not for us: OpenAI gives no content of the purpose `assistants` (400).
_REFUSALS: Final = frozenset({400, 403, 404, 410})


async def download_content(files: FileSource, source: RateLimitedSource, file_id: str, archive: Path) -> JsonObject:
    """Download a file into the archive and return its record for the part `contents`.

    A file whose content the source refuses, or whose id cannot be a file name, has a record with `path` null and the
    error. Raises other errors of the source after the usual attempts, and OSError.
    """
    if not is_usable_id(file_id):
        return _build_refusal(file_id, status=None, code="unusable_id", message="The id cannot be the name of a file.")
    path = archive / CONTENTS_FOLDER / file_id
    path.parent.mkdir(mode=0o700, exist_ok=True)
    try:
        return await source.request(lambda: _download(files, file_id, path))
    except BridgeError as error:
        if error.status not in _REFUSALS:
            raise
        return _build_refusal(file_id, status=error.status, code=error.code, message=error.message)


def _build_refusal(file_id: str, *, status: int | None, code: str | None, message: str) -> JsonObject:
    reason: JsonObject = {"status": status, "code": code, "message": message}
    return {"id": file_id, "path": None, "bytes": 0, "sha256": None, "error": reason}


async def _download(files: FileSource, file_id: str, path: Path) -> JsonObject:
    temporary = path.with_name(f"{path.name}.new")
    digest, size = hashlib.sha256(), 0
    try:
        with open_private(temporary, "wb") as target:

            def write(chunk: bytes) -> None:
                nonlocal size
                size += len(chunk)
                digest.update(chunk)
                target.write(chunk)

            headers = await files.download_file(file_id, write)
            target.flush()
            os.fsync(target.fileno())
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    os.replace(temporary, path)
    record: JsonObject = {
        "id": file_id,
        "path": f"{CONTENTS_FOLDER}/{file_id}",
        "bytes": size,
        "sha256": digest.hexdigest(),
    }
    content_type = headers.get("content-type")
    return {**record, "content_type": content_type} if content_type else record
