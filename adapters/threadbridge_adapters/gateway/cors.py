"""Access from web pages: which origins may read responses (CORS), and which requests are rejected."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import Forbidden
from threadbridge.schemas.error_messages import shorten
from threadbridge_adapters.gateway.error_responses import send_error
from threadbridge_adapters.gateway.server import is_loopback

#: Response headers that a page may read.
EXPOSED_HEADERS: Final = (
    "openai-poll-after-ms",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    "threadbridge-warning",
    "x-request-id",
)
_METHODS: Final = ("GET", "POST", "DELETE")
_ANY: Final = "*"
#: `Sec-Fetch-Site` of a page that is not of the gateway's own origin.
_OTHER_SITES: Final = frozenset({"cross-site", "same-site"})


def add_cors(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """The application with CORS headers for these origins, on error responses too; by default for no origin."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=(_ANY,),
        allow_private_network=True,  # a public web page that calls a gateway on the user's own machine
        expose_headers=EXPOSED_HEADERS,
    )


class OriginMiddleware:
    """Rejects requests of pages of other machines, for a gateway without a key.

    Such a page cannot read the response, but its request would be performed. With a key, the key decides. Browsers send
    no `Origin` with images, links and forms that GET; `Sec-Fetch-Site` says whether a page of another site sent the
    request. `setting` is the name of the setting for allowed origins, for the error message.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str], setting: str | None) -> None:
        self._app = app
        self._origins = frozenset(origins)
        self._advice = "" if setting is None else f": add their origin to {setting}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rejected_pages = (
            self._find_rejected_pages(scope) if scope["type"] == "http" and _ANY not in self._origins else None
        )
        if rejected_pages is None:
            await self._app(scope, receive, send)
            return
        await send_error(Forbidden(f"{rejected_pages} may not use this gateway{self._advice}."), scope, receive, send)

    def _find_rejected_pages(self, scope: Scope) -> str | None:
        """The pages that sent the request, if not allowed. Programs and the gateway's own pages send no header."""
        origins = _get_headers(scope, b"origin")
        for origin in origins:
            if origin not in self._origins and not is_loopback(_get_host(origin)):
                return f"Pages of '{shorten(origin)}'"
        if not origins and not _OTHER_SITES.isdisjoint(site.lower() for site in _get_headers(scope, b"sec-fetch-site")):
            return "Pages of other sites"
        return None


def _get_headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for each, value in scope["headers"] if each == name]


def _get_host(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""
