"""The bytes of a file: small ones in memory, large ones in a nameless file on disk that goes away with them."""

from __future__ import annotations

import hashlib
import tempfile
import weakref
from collections.abc import AsyncIterator
from typing import IO, Final

from threadbridge_adapters.simulator import _errors as errors

_CHUNK: Final = 256 * 1024
#: Larger contents move to disk.
_IN_MEMORY: Final = 64 * 1024


class Content:
    """Finished bytes. They may be shared by several files and read by several readers at the same time."""

    def __init__(self, whole: bytes, disk: IO[bytes] | None, *, size: int, md5: str) -> None:
        self._whole = whole
        self._disk = disk
        self.size = size
        self.md5 = md5
        if disk is not None:
            weakref.finalize(self, disk.close)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """A part of the bytes, or all of them."""
        end = self.size if length is None else start + length
        if self._disk is None:
            return self._whole[start:end]
        self._disk.seek(start)
        return self._disk.read(end - start)

    async def chunks(self) -> AsyncIterator[bytes]:
        """All bytes, piece by piece."""
        for start in range(0, self.size, _CHUNK):
            yield self.read(start, _CHUNK)


class ContentWriter:
    """Takes bytes as they come, at most `limit` of them. `too_large` is raised at the first byte more."""

    def __init__(self, *, limit: int, too_large: errors.ServiceError) -> None:
        self._limit = limit
        self._too_large = too_large
        self._start = bytearray()
        self._disk: IO[bytes] | None = None
        self._size = 0
        self._md5 = hashlib.md5(usedforsecurity=False)

    def write(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._limit:
            self.discard()
            raise self._too_large
        self._md5.update(chunk)
        if self._disk is not None:
            self._disk.write(chunk)
            return
        self._start += chunk
        if len(self._start) > _IN_MEMORY:
            self._disk = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the content
            self._disk.write(self._start)
            self._start.clear()

    def discard(self) -> None:
        """Give up what was written."""
        if self._disk is not None:
            self._disk.close()

    def finished(self) -> Content:
        if self._disk is not None:
            self._disk.flush()
        return Content(bytes(self._start), self._disk, size=self._size, md5=self._md5.hexdigest())


def content_of(whole: bytes) -> Content:
    """The content of bytes that are there already."""
    writer = ContentWriter(limit=len(whole), too_large=errors.ServiceError("unreachable"))
    writer.write(whole)
    return writer.finished()


def joined(parts: list[Content], *, limit: int, too_large: errors.ServiceError) -> Content:
    """One content after the other as a new one."""
    writer = ContentWriter(limit=limit, too_large=too_large)
    for part in parts:
        for start in range(0, part.size, _CHUNK):
            writer.write(part.read(start, _CHUNK))
    return writer.finished()
