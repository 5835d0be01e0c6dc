"""Pages in a browser: those of which origins may read the answers (CORS), and which may not even ask."""

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

#: What a page may read of an answer beside its body.
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


def add_cors(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """The application, whose answers pages of these origins may read, refusals too; of no origin by default."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=(_ANY,),
        allow_private_network=True,  # a page of the web, asking a gateway on its reader's machine
        expose_headers=EXPOSED_HEADERS,
    )


class OriginMiddleware:
    """Refuses what pages of other machines ask, for a gateway that asks nobody for a key.

    A page cannot read an answer it has no leave to, but what it asked would be done. One who has the key is trusted.
    """

    def __init__(self, app: ASGIApp, *, origins: Collection[str]) -> None:
        self._app = app
        self._origins = frozenset(origins)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        origin = _get_origin(scope) if scope["type"] == "http" else None
        if origin is None or self._is_allowed(origin):
            await self._app(scope, receive, send)
            return
        message = (
            f"Pages of '{shorten(origin)}' may not ask this gateway: name their origin in gateway.allowed_origins."
        )
        await send_error(Forbidden(message), scope, receive, send)

    def _is_allowed(self, origin: str) -> bool:
        return not self._origins.isdisjoint((origin, _ANY)) or is_loopback(_get_host(origin))


def _get_origin(scope: Scope) -> str | None:
    """Where the page comes from that made a request; programs and pages of our own send none."""
    value = next((value for name, value in scope["headers"] if name == b"origin"), None)
    return None if value is None else value.decode("latin-1")


def _get_host(origin: str) -> str:
    try:
        return urlsplit(origin).hostname or ""
    except ValueError:
        return ""
