"""The bytes of a file: in memory if small, else in an unnamed temporary file."""

from __future__ import annotations

import hashlib
import tempfile
import weakref
from collections.abc import AsyncIterator
from typing import IO, Final

from threadbridge_adapters.simulator import _errors as errors

_CHUNK: Final = 256 * 1024
#: Larger contents are stored on disk.
_MAX_IN_MEMORY: Final = 64 * 1024


class FileBytes:
    """Complete bytes. They may be shared by several files and read concurrently."""

    def __init__(self, in_memory: bytes, disk: IO[bytes] | None, *, size: int, md5: str) -> None:
        self._in_memory = in_memory
        self._disk = disk
        self.size = size
        self.md5 = md5
        if disk is not None:
            weakref.finalize(self, disk.close)

    def read(self, start: int = 0, length: int | None = None) -> bytes:
        """A range of the bytes, by default all of them."""
        end = self.size if length is None else start + length
        if self._disk is None:
            return self._in_memory[start:end]
        self._disk.seek(start)
        return self._disk.read(end - start)

    async def iterate_chunks(self) -> AsyncIterator[bytes]:
        """All bytes in chunks."""
        for start in range(0, self.size, _CHUNK):
            yield self.read(start, _CHUNK)


class FileBytesWriter:
    """Collects at most `limit` bytes as they arrive; raises `too_large` if there are more."""

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
        """Discard the written bytes."""
        if self._disk is not None:
            self._disk.close()

    def finish(self) -> FileBytes:
        if self._disk is not None:
            self._disk.flush()
        return FileBytes(bytes(self._buffer), self._disk, size=self._size, md5=self._md5.hexdigest())


def make_file_bytes(data: bytes) -> FileBytes:
    """The content of the given bytes."""
    writer = FileBytesWriter(limit=len(data), too_large=errors.ServiceError("unreachable"))
    writer.write(data)
    return writer.finish()


def concatenate(parts: list[FileBytes], *, limit: int, too_large: errors.ServiceError) -> FileBytes:
    """The concatenation of the contents."""
    writer = FileBytesWriter(limit=limit, too_large=too_large)
    for part in parts:
        for start in range(0, part.size, _CHUNK):
            writer.write(part.read(start, _CHUNK))
    return writer.finish()
