"""A limit on the size of a request's head, because uvicorn's protocol limits neither the URL nor the headers."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of the URL and all headers. Clients send 1–2 kB, and common proxies have this limit.
MAX_HEADER_BYTES: Final = 64 * 1024

_TOO_LONG_MESSAGE: Final = "The head of this request is too long."


class HeaderLimitProtocol(HttpToolsProtocol):
    """Rejects a request with a longer head and closes the connection.

    An incomplete head is rejected once the chunks after the one in which it began exceed the limit.
    """

    _header_scope: object = None  # of the request whose head is incomplete
    _header_bytes = 0

    def data_received(self, data: bytes) -> None:
        header_scope = self._header_scope
        super().data_received(data)
        if header_scope is not None and header_scope is self._header_scope:  # the whole chunk belongs to the head
            self._header_bytes += len(data)
            if self._header_bytes > MAX_HEADER_BYTES:
                self._header_scope = None
                self.send_400_response(_TOO_LONG_MESSAGE)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_scope, self._header_bytes = self.scope, 0

    def on_headers_complete(self) -> None:
        self._header_scope = None
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > MAX_HEADER_BYTES:
            raise ValueError(_TOO_LONG_MESSAGE)  # uvicorn's handling of a malformed request
        super().on_headers_complete()
