"""The port of a blob store: bytes under a name that their content gives them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple, Protocol


class Blob(NamedTuple):
    """Bytes that are kept: their name and their number."""

    name: str
    size: int


class Blobs(Protocol):
    """Where the contents of files are. The same content has the same name and is kept once."""

    async def keep(self, content: AsyncIterator[bytes], *, most: int) -> Blob:
        """Keep what comes, as it comes: all of it or nothing.

        Raises InvalidRequest for more than `most` bytes, StoreError where it cannot be written.
        """
        ...

    def read(self, name: str) -> AsyncIterator[bytes]:
        """The bytes, piece by piece. Raises StoreError where they cannot be read."""
        ...

    async def forget(self, name: str) -> None:
        """Remove them. Nothing happens where they are gone."""
        ...
