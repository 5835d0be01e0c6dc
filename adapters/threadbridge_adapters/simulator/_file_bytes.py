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
_MAX_IN_MEMORY: Final = 64 * 1024


class FileBytes:
    """Finished bytes. They may be shared by several files and read by several readers at the same time."""

    def __init__(self, in_memory: bytes, disk: IO[bytes] | None, *, size: int, md5: str) -> None:
        self._in_memory = in_memory
        self._disk = disk
        self.size = size
        self.md5 = md5
        if disk is not None:
            weakref.finalize(self, disk.close)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """A part of the bytes, or all of them."""
        end = self.size if length is None else start + length
        if self._disk is None:
            return self._in_memory[start:end]
        self._disk.seek(start)
        return self._disk.read(end - start)

    async def iterate_chunks(self) -> AsyncIterator[bytes]:
        """All bytes, piece by piece."""
        for start in range(0, self.size, _CHUNK):
            yield self.read(start, _CHUNK)


class FileBytesWriter:
    """Takes bytes as they come, at most `limit` of them. `too_large` is raised at the first byte more."""

    def __init__(self, *, limit: int, too_large: errors.ServiceError) -> None:
        self._limit = limit
        self._too_large = too_large
        self._buffer = bytearray()
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
        self._buffer += chunk
        if len(self._buffer) > _MAX_IN_MEMORY:
            self._disk = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the content
            self._disk.write(self._buffer)
            self._buffer.clear()

    def discard(self) -> None:
        """Give up what was written."""
        if self._disk is not None:
            self._disk.close()

    def finish(self) -> FileBytes:
        if self._disk is not None:
            self._disk.flush()
        return FileBytes(bytes(self._buffer), self._disk, size=self._size, md5=self._md5.hexdigest())


def make_file_bytes(data: bytes) -> FileBytes:
    """The content of bytes that are there already."""
    writer = FileBytesWriter(limit=len(data), too_large=errors.ServiceError("unreachable"))
    writer.write(data)
    return writer.finish()


def concatenate(parts: list[FileBytes], *, limit: int, too_large: errors.ServiceError) -> FileBytes:
    """One content after the other as a new one."""
    writer = FileBytesWriter(limit=limit, too_large=too_large)
    for part in parts:
        for start in range(0, part.size, _CHUNK):
            writer.write(part.read(start, _CHUNK))
    return writer.finish()
