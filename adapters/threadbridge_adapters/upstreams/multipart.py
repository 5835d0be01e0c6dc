"""One file in a multipart form, sent as it comes: the HTTP libraries want it whole, or from a blocking file."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping

#: What a quoted parameter cannot hold, in the way browsers write it.
_QUOTED_STRING_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class MultipartForm:
    """A form of some text fields and, last, the field `file`."""

    def __init__(self, fields: Mapping[str, str], filename: str) -> None:
        self._boundary = secrets.token_hex(16)
        self._fields = fields
        self._filename = filename.translate(_QUOTED_STRING_ESCAPES)

    @property
    def content_type(self) -> str:
        """The header that tells where the parts end.

        Media types are the same in any case, and the SDK, where it reads this one in small letters, insists on
        building the form itself.
        """
        return f"Multipart/form-data; boundary={self._boundary}"

    async def encode(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The whole body, the file's pieces in it."""
        head = (
            "".join(self._encode_field(name, value) for name, value in self._fields.items())
            + self._encode_file_header()
        )
        yield head.encode()
        async for piece in content:
            yield piece
        yield f"\r\n--{self._boundary}--\r\n".encode()

    def _encode_field(self, name: str, value: str) -> str:
        name = name.translate(_QUOTED_STRING_ESCAPES)
        return f'--{self._boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'

    def _encode_file_header(self) -> str:
        return (
            f'--{self._boundary}\r\nContent-Disposition: form-data; name="file"; filename="{self._filename}"\r\n'
            "Content-Type: application/octet-stream\r\n\r\n"
        )
