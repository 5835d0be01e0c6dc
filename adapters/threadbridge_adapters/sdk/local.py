"""Requests that stay in the process, without what only the network needs.

Default headers, cookies, redirects, authentication: the HTTP library does all of this for every request, at twice the
cost of the answer. None of it means anything to an answer from the same process.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from threadbridge.wire import serves
from threadbridge_adapters.sdk.passing import path_of

if TYPE_CHECKING:
    from httpx2 import AsyncClient, Client, Request, Response

_ROOTS: Final = ("/assistants", "/threads")
#: What a request is made of; everything else is for the genuine client to put in.
_PARTS: Final = frozenset({"headers", "params", "content", "data", "files", "json"})


def local_request(
    http: Any, genuine: Client | AsyncClient, method: str, url: Any, options: Mapping[str, Any], *, base: str
) -> Request | None:
    """The request as the SDK asks for it; None where the genuine client has to build it."""
    parts = dict(options)
    timeout = parts.pop("timeout", None)
    as_asked = isinstance(timeout, http.Timeout) and parts.keys() <= _PARTS and not genuine.params
    if not as_asked or not any(root in str(url) for root in _ROOTS):
        return None
    request: Request = http.Request(method, url, extensions={"timeout": timeout.as_dict()}, **parts)
    return request if serves(path_of(request.url), base=base) else None


def local_response(http: Any, request: Request, response: Response) -> Response:
    """The answer, joined to its request and told to the library's log."""
    response.request = request
    log = logging.getLogger(http.__name__)
    if log.isEnabledFor(logging.INFO):
        version, status, reason = response.http_version, response.status_code, response.reason_phrase
        log.info('HTTP Request: %s %s "%s %d %s"', request.method, request.url, version, status, reason)
    return response
