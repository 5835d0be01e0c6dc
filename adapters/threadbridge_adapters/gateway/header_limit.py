"""How long the head of a request may be: uvicorn's protocol bounds neither an address nor headers."""

from __future__ import annotations

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

#: Bytes of an address and all headers. Clients send one or two thousand, proxies take at most so many.
HEAD_BYTES: Final = 64 * 1024

_TOO_LONG: Final = "The head of this request is too long."


class BoundedHeads(HttpToolsProtocol):
    """Refuses a request whose head is longer, and closes the connection.

    It does not wait for the end of a head: what comes after the piece it began in may not be longer either.
    """

    _head: object = None  # of the request whose head is not over
    _head_bytes = 0

    def data_received(self, data: bytes) -> None:
        head = self._head
        super().data_received(data)
        if head is not None and head is self._head:  # all of this piece was head
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self._head = None
                self.send_400_response(_TOO_LONG)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head, self._head_bytes = self.scope, 0

    def on_headers_complete(self) -> None:
        self._head = None
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > HEAD_BYTES:
            raise ValueError(_TOO_LONG)  # a request that cannot be parsed, to uvicorn
        super().on_headers_complete()
