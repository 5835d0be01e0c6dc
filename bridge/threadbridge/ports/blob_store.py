"""The port of a blob store: bytes under a name that begins with their digest."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, Protocol, TypeAlias

#: Gives the name for a content, by its SHA-256 in hexadecimal digits.
BlobNamer: TypeAlias = Callable[[str], Awaitable[str]]


class Blob(NamedTuple):
    """Bytes that are kept: their name and their number."""

    name: str
    size: int


class BlobStore(Protocol):
    """Where the contents of files are."""

    async def put(self, content: AsyncIterator[bytes], *, max_bytes: int, name_for: BlobNamer) -> Blob:
        """Keep what comes, as it comes: all of it or nothing. What has the name already is left as it is.

        `named` is asked once all has come and nothing is kept yet. Raises InvalidRequest for more than `most` bytes,
        StoreError where it cannot be written, and what `named` raises.
        """
        ...

    def read(self, name: str) -> AsyncIterator[bytes]:
        """The bytes, piece by piece. Raises StoreError where they cannot be read."""
        ...

    async def delete(self, name: str) -> None:
        """Remove them. Nothing happens where they are gone. Raises StoreError where that cannot be done."""
        ...

    async def delete_abandoned_uploads(self, *, idle_seconds: float) -> None:
        """Remove what somebody began to keep and has not written to for so long: his process is gone.

        Raises StoreError where that cannot be done.
        """
        ...
