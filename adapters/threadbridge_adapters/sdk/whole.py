"""Answers that are there in one piece, as responses of an HTTP library."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

import orjson

from threadbridge.ports import WireResponse
from threadbridge_adapters.sdk.at_hand import AtHand

if TYPE_CHECKING:
    from httpx2 import Response
else:
    Response = object


class WholeResponse(AtHand, Response):
    """A response whose body is there."""

    http: Any  # the library: httpx or httpx2

    def __init__(self, response: WireResponse) -> None:
        self._body = cast("bytes", response.body)
        headers = {**response.headers, "content-length": str(len(self._body))}
        super().__init__(response.status, headers=headers, stream=self.http.ByteStream(self._body))
        self.headers.encoding = "ascii"  # as they were written; it would be found out by trying

    def json(self, **options: Any) -> Any:
        return super().json(**options) if options else orjson.loads(self._body)

    def __reduce__(self) -> tuple[Any, ...]:
        # Elsewhere it is a response like all others: its class is made in each process.
        parts = {"headers": self.headers.raw, "content": self._body, "request": self.request}
        return functools.partial(self.http.Response, self.status_code, **parts), ()


def whole_response(http: Any, response: WireResponse) -> Response:
    """The answer, whose body is no stream, as `http` (httpx or httpx2) knows responses."""
    return _type(http)(response)


@functools.cache
def _type(http: Any) -> type[WholeResponse]:
    made = type("WholeResponse", (WholeResponse, http.Response), {"http": http})
    return cast("type[WholeResponse]", made)
