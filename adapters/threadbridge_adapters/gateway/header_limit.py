"""How long the head of a request may be: uvicorn's protocol bounds neither an address nor headers."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of an address and all headers. Clients send one or two thousand, proxies take at most so many.
MAX_HEADER_BYTES: Final = 64 * 1024

_TOO_LONG_MESSAGE: Final = "The head of this request is too long."


class HeaderLimitProtocol(HttpToolsProtocol):
    """Refuses a request whose head is longer, and closes the connection.

    It does not wait for the end of a head: what comes after the piece it began in may not be longer either.
    """

    _header_scope: object = None  # of the request whose head is not over
    _header_bytes = 0

    def data_received(self, data: bytes) -> None:
        header_scope = self._header_scope
        super().data_received(data)
        if header_scope is not None and header_scope is self._header_scope:  # all of this piece was head
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
            raise ValueError(_TOO_LONG_MESSAGE)  # a request that cannot be parsed, to uvicorn
        super().on_headers_complete()
