"""Requests that stay in the process, without what only the network needs.

Default headers, cookies, redirects, authentication: the HTTP library does all of this for every request, at twice the
cost of the answer. None of it means anything to an answer from the same process.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from threadbridge_adapters.sdk.at_hand import AtHand
from threadbridge_adapters.sdk.request_routing import Way, way_of, way_to

if TYPE_CHECKING:
    from httpx2 import URL, AsyncClient, Client, Request, Response
else:
    Request = object

#: What such a request is made of; everything else is for the genuine client to put in.
_PARTS: Final = frozenset({"headers"})


class LocalRequest(AtHand, Request):
    """A request that knows its way, whose body is there, and whose URL is taken apart only if somebody looks at it."""

    http: Any  # the library: httpx or httpx2
    nowhere: URL

    way: Way | None
    _url: URL | None

    def __init__(self, method: str, target: str, way: Way, content: bytes, **parts: Any) -> None:
        # As a stream the body adds no headers for the network, which would have all of them written twice.
        super().__init__(method, self.nowhere, stream=self.http.ByteStream(content), **parts)
        self._target, self._url, self.way, self._body = target, None, way, content

    @property
    def url(self) -> URL:
        url = self._url
        if url is None:
            url = self._url = self.http.URL(self._target)
        return url

    @url.setter
    def url(self, url: URL) -> None:
        self._url, self.way = url, None

    def __reduce__(self) -> tuple[Any, ...]:
        # Elsewhere it is a request like all others: its class is made in each process.
        parts = {"headers": self.headers.raw, "content": self._body}
        return functools.partial(self.http.Request, self.method, str(self.url), **parts), ()


class LocalRequests:
    """What one client of one HTTP library asks of this process."""

    def __init__(self, http: Any, genuine: Client | AsyncClient, *, base: str) -> None:
        self._http = http
        self._genuine = genuine
        self._base = base
        self._type = _request_type(http)
        self._log = logging.getLogger(http.__name__)

    def made(self, method: str, url: object, options: Mapping[str, Any]) -> Request | None:
        """The request as the SDK asks for it; None where the genuine client has to build it."""
        parts = {name: part for name, part in options.items() if part is not None}
        params, timeout, content = parts.pop("params", None), parts.pop("timeout", None), parts.pop("content", b"")
        as_asked = (
            isinstance(params, str | None)
            and isinstance(timeout, self._http.Timeout)
            and isinstance(content, bytes)
            and parts.keys() <= _PARTS
            and not self._genuine.params
        )
        target = str(url) if params is None else f"{str(url).partition('?')[0]}?{params}"
        way = way_to(target, self._base) if as_asked else None
        if way is None:
            return None
        return self._type(method, target, way, content, extensions={"timeout": timeout.as_dict()}, **parts)

    def way(self, request: Request) -> Way | None:
        """Where the request goes; None where it is not for the Assistants API."""
        known = request.way if isinstance(request, LocalRequest) else None
        return known or way_of(request.url, self._base)

    def answered(self, request: Request, response: Response) -> Response:
        """The answer, joined to its request and told to the library's log."""
        response.request = request
        if self._log.isEnabledFor(logging.INFO):
            version, status, reason = response.http_version, response.status_code, response.reason_phrase
            self._log.info('HTTP Request: %s %s "%s %d %s"', request.method, request.url, version, status, reason)
        return response


@functools.cache
def _request_type(http: Any) -> type[LocalRequest]:
    parts = {"http": http, "nowhere": http.URL()}
    return cast("type[LocalRequest]", type("LocalRequest", (LocalRequest, http.Request), parts))
