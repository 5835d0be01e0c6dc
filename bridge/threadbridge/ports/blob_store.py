"""The port of a blob store. The name of a blob begins with the digest of its content."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple, Protocol, TypeAlias

#: Returns the name for a content, given its SHA-256 in hexadecimal digits.
BlobNamer: TypeAlias = Callable[[str], Awaitable[str]]


class Blob(NamedTuple):
    """A stored blob: its name, and its size in bytes."""

    name: str
    size: int


class BlobStore(Protocol):
    """Stores the contents of generated files."""

    async def put(self, content: AsyncIterator[bytes], *, max_bytes: int, name_for: BlobNamer) -> Blob:
        """Store a content as it arrives, completely or not at all. An existing blob of the same name is not changed.

        `name_for` is called after all content has arrived, before the blob exists under its name. Raises InvalidRequest
        for more than `max_bytes`, StoreError if the content cannot be written, and what `name_for` raises.
        """
        ...

    def read(self, name: str) -> AsyncIterator[bytes]:
        """The content in chunks. Raises StoreError if it cannot be read."""
        ...

    async def delete(self, name: str) -> None:
        """Remove the blob, if it exists. Raises StoreError if that fails."""
        ...

    async def delete_abandoned_uploads(self, *, idle_seconds: float) -> None:
        """Remove unfinished uploads without a write for that long: their process has ended. Raises StoreError."""
        ...
