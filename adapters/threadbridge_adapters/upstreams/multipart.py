"""Multipart forms with one streamed file."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping

#: Characters that a quoted parameter cannot contain, escaped as by browsers.
_QUOTED_STRING_ESCAPES = str.maketrans({'"': "%22", "\r": "%0D", "\n": "%0A"})


class MultipartForm:
    """A multipart form of text fields and the field `file`, which is streamed: the HTTP libraries cannot do that."""

    def __init__(self, fields: Mapping[str, str], filename: str) -> None:
        self._boundary = secrets.token_hex(16)
        self._fields = fields
        self._filename = filename.translate(_QUOTED_STRING_ESCAPES)

    @property
    def content_type(self) -> str:
        """The header with the boundary of the parts.

        Media types are case-insensitive. With this one in lower case, the SDK would build the form itself.
        """
        return f"Multipart/form-data; boundary={self._boundary}"

    async def encode(self, content: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The chunks of the body, with the file in it."""
        start = f"--{self._boundary}\r\nContent-Disposition: form-data; name="
        head = ""
        for name, value in self._fields.items():
            head += f'{start}"{name.translate(_QUOTED_STRING_ESCAPES)}"\r\n\r\n{value}\r\n'
        head += f'{start}"file"; filename="{self._filename}"\r\nContent-Type: application/octet-stream\r\n\r\n'
        yield head.encode()
        async for chunk in content:
            yield chunk
        yield f"\r\n--{self._boundary}--\r\n".encode()
