"""Answers that are there in one piece, as responses of an HTTP library."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, cast

import orjson

from threadbridge.ports import WireResponse

if TYPE_CHECKING:
    from httpx2 import Response
else:
    Response = object


class WholeResponse(Response):
    """A body that is there: nothing has to be decoded, so nothing has to be read piece by piece."""

    http: Any  # the library: httpx or httpx2

    def __init__(self, response: WireResponse) -> None:
        self._whole = cast("bytes", response.body)
        headers = {**response.headers, "content-length": str(len(self._whole))}
        super().__init__(response.status, headers=headers, stream=self.http.ByteStream(self._whole))
        self.headers.encoding = "ascii"  # as they were written; it would be found out by trying

    @property
    def content(self) -> bytes:
        return self._whole

    def read(self) -> bytes:
        return self._whole

    async def aread(self) -> bytes:
        return self._whole

    def json(self, **options: Any) -> Any:
        return super().json(**options) if options else orjson.loads(self._whole)

    def __reduce__(self) -> tuple[Any, ...]:
        # Elsewhere it is a response like all others: its class is made in each process.
        parts = {"headers": self.headers.raw, "content": self._whole, "request": self.request}
        return functools.partial(self.http.Response, self.status_code, **parts), ()


def whole_response(http: Any, response: WireResponse) -> Response:
    """The answer, whose body is no stream, as `http` (httpx or httpx2) knows responses."""
    return _type(http)(response)


@functools.cache
def _type(http: Any) -> type[WholeResponse]:
    made = type("WholeResponse", (WholeResponse, http.Response), {"http": http})
    return cast("type[WholeResponse]", made)
