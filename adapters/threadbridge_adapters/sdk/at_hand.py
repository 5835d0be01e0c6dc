"""Bodies that are there in one piece, as requests and responses of an HTTP library have them."""

from __future__ import annotations


class AtHand:
    """Nothing has to be decoded, so nothing has to be read piece by piece. Goes before the library's own class."""

    _body: bytes

    @property
    def content(self) -> bytes:
        return self._body

    def read(self) -> bytes:
        return self._body

    async def aread(self) -> bytes:
        return self._body
