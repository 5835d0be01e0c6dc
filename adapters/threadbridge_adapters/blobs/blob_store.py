"""`ports.BlobStore`: contents are spooled as they arrive and moved to the storage under their digest when complete."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import IO

from threadbridge.errors import InvalidRequest, StoreError
from threadbridge.ports import Blob, BlobNamer
from threadbridge_adapters.blobs.local_storage import BlobStorage

_CHUNK_BYTES = 256 * 1024


class SpoolingBlobStore:
    """`ports.BlobStore` on one storage. Memory holds at most one chunk of each blob."""

    def __init__(self, storage: BlobStorage) -> None:
        self._storage = storage

    async def put(self, content: AsyncIterator[bytes], *, max_bytes: int, name_for: BlobNamer) -> Blob:
        try:
            spool = await asyncio.to_thread(self._storage.create_spool_file)
        except OSError as exc:
            raise _to_store_error("written", exc) from exc
        path = Path(spool.name)
        try:
            digest, size = await _write_spool_file(content, spool, max_bytes)
            name = await name_for(digest)
            await asyncio.to_thread(self._storage.put, path, name)
        except OSError as exc:
            raise _to_store_error("written", exc) from exc
        finally:
            await asyncio.to_thread(_discard_spool_file, spool, path)
        return Blob(name, size)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        try:
            file = await asyncio.to_thread(self._storage.open, name)
            with file:
                while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                    yield chunk
        except OSError as exc:
            raise _to_store_error("read", exc) from exc

    async def delete(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._storage.remove, name)
        except OSError as exc:
            raise _to_store_error("removed", exc) from exc

    async def delete_abandoned_uploads(self, *, idle_seconds: float) -> None:
        try:
            await asyncio.to_thread(self._storage.delete_abandoned_spool_files, time.time() - idle_seconds)
        except OSError as exc:
            raise _to_store_error("removed", exc) from exc


async def _write_spool_file(content: AsyncIterator[bytes], spool: IO[bytes], max_bytes: int) -> tuple[str, int]:
    """The digest and the size in bytes of the spooled contents."""
    digest, size = sha256(), 0
    async for chunk in content:
        size += len(chunk)
        if size > max_bytes:
            raise InvalidRequest(f"The file is larger than {max_bytes} bytes.")
        digest.update(chunk)
        spool.write(chunk)
    spool.flush()
    return digest.hexdigest(), size


def _discard_spool_file(spool: IO[bytes], path: Path) -> None:
    spool.close()
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _to_store_error(operation: str, exc: OSError) -> StoreError:
    return StoreError(f"The contents of a file could not be {operation}: {exc.strerror or type(exc).__name__}.")
