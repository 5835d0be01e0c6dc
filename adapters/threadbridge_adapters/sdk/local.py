"""Requests that stay in the process, without what only the network needs.

Default headers, cookies, redirects, authentication: the HTTP library does all of this for every request, at twice the
cost of the answer. None of it means anything to an answer from the same process.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from threadbridge_adapters.sdk.passing import assistants_path

if TYPE_CHECKING:
    from httpx2 import URL, AsyncClient, Client, Request, Response

_ROOTS: Final = ("/assistants", "/threads")
#: What such a request is made of; everything else is for the genuine client to put in.
_PARTS: Final = frozenset({"headers", "params"})
#: URLs that are not taken apart again: programs that poll ask the same ones all the time.
_REMEMBERED_URLS: Final = 256
#: Under this name a request of ours knows where it goes.
_WAY: Final = "threadbridge"


class _Way(NamedTuple):
    """The path of a request from its root on, as long as its URL is this one."""

    url: URL
    path: str


class LocalRequests:
    """What one client of one HTTP library asks of this process."""

    def __init__(self, http: Any, genuine: Client | AsyncClient, *, base: str) -> None:
        self._http = http
        self._genuine = genuine
        self._base = base
        self._url = functools.lru_cache(_REMEMBERED_URLS)(http.URL)
        self._log = logging.getLogger(http.__name__)

    def made(self, method: str, url: Any, options: Mapping[str, Any]) -> Request | None:
        """The request as the SDK asks for it; None where the genuine client has to build it."""
        if self._genuine.params or not any(root in str(url) for root in _ROOTS):
            return None
        parts = {name: part for name, part in options.items() if part is not None}
        timeout, content = parts.pop("timeout", None), parts.pop("content", b"")
        if not (isinstance(timeout, self._http.Timeout) and isinstance(content, bytes) and parts.keys() <= _PARTS):
            return None
        # As a stream it gets no headers for the way, so they need not be written twice.
        body = self._http.ByteStream(content)
        extensions: dict[str, Any] = {"timeout": timeout.as_dict()}
        request: Request = self._http.Request(method, self._url(url), stream=body, extensions=extensions, **parts)
        path = assistants_path(request.url, self._base)
        if path is None:
            return None
        request.read()
        request.extensions[_WAY] = _Way(request.url, path)
        return request

    def path(self, request: Request) -> str | None:
        """The path from `/assistants` or `/threads` on; None where the request is not for the Assistants API."""
        way: _Way | None = request.extensions.get(_WAY)
        return way.path if way is not None and way.url is request.url else assistants_path(request.url, self._base)

    def answered(self, request: Request, response: Response) -> Response:
        """The answer, joined to its request and told to the library's log."""
        response.request = request
        if self._log.isEnabledFor(logging.INFO):
            version, status, reason = response.http_version, response.status_code, response.reason_phrase
            self._log.info('HTTP Request: %s %s "%s %d %s"', request.method, request.url, version, status, reason)
        return response
