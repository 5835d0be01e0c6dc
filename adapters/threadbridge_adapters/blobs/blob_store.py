"""`ports.Blobs`: contents are spooled as they come, and named and put on a shelf when they are whole."""

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
from threadbridge_adapters.blobs.local_storage import Shelf

_PIECE = 256 * 1024


class Contents:
    """`ports.Blobs` over one shelf. No more than a piece of any blob is in memory."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    async def put(self, content: AsyncIterator[bytes], *, max_bytes: int, name_for: BlobNamer) -> Blob:
        try:
            spool = await asyncio.to_thread(self._shelf.spool)
        except OSError as exc:
            raise _unusable("written", exc) from exc
        path = Path(spool.name)
        try:
            digest, size = await _spooled(content, spool, max_bytes)
            name = await name_for(digest)
            await asyncio.to_thread(self._shelf.put, path, name)
        except OSError as exc:
            raise _unusable("written", exc) from exc
        finally:
            await asyncio.to_thread(_dropped, spool, path)
        return Blob(name, size)

    async def read(self, name: str) -> AsyncIterator[bytes]:
        try:
            opened = await asyncio.to_thread(self._shelf.open, name)
            with opened:
                while piece := await asyncio.to_thread(opened.read, _PIECE):
                    yield piece
        except OSError as exc:
            raise _unusable("read", exc) from exc

    async def delete(self, name: str) -> None:
        try:
            await asyncio.to_thread(self._shelf.remove, name)
        except OSError as exc:
            raise _unusable("removed", exc) from exc

    async def delete_abandoned_uploads(self, *, idle_seconds: float) -> None:
        try:
            await asyncio.to_thread(self._shelf.tidy, time.time() - idle_seconds)
        except OSError as exc:
            raise _unusable("removed", exc) from exc


async def _spooled(content: AsyncIterator[bytes], spool: IO[bytes], most: int) -> tuple[str, int]:
    """The digest and the size of what came."""
    digest, size = sha256(), 0
    async for piece in content:
        size += len(piece)
        if size > most:
            raise InvalidRequest(f"The file is larger than {most} bytes.")
        digest.update(piece)
        spool.write(piece)
    spool.flush()
    return digest.hexdigest(), size


def _dropped(spool: IO[bytes], path: Path) -> None:
    spool.close()
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _unusable(doing: str, exc: OSError) -> StoreError:
    return StoreError(f"The contents of a file could not be {doing}: {exc.strerror or type(exc).__name__}.")
