"""Who may come in: the gateway's own key, as the legacy service asked for its own."""

from __future__ import annotations

import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import Unauthorized
from threadbridge_adapters.gateway.error_responses import reply_with

#: Paths that a load balancer may ask without a key.
OPEN_PATHS = frozenset({"/healthz"})

_MISSING = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)


class KeyCheck:
    """Lets requests through that present the key, as a bearer token or, Azure's way (C19), in `api-key`."""

    def __init__(self, app: ASGIApp, *, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        presented = _presented(scope)
        if presented is not None and hmac.compare_digest(presented, self._key):
            await self._app(scope, receive, send)
            return
        await reply_with(_refusal(presented), scope, receive, send)


def _presented(scope: Scope) -> bytes | None:
    headers = dict(scope["headers"])
    authorization: bytes = headers.get(b"authorization", b"")
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    return headers.get(b"api-key")


def _refusal(presented: bytes | None) -> Unauthorized:
    if presented is None:
        return Unauthorized(_MISSING)
    return Unauthorized(f"Incorrect API key provided: {_masked(presented)}.", code="invalid_api_key")


def _masked(key: bytes) -> str:
    """Enough of a key for its owner to know it by, nothing to guess the rest from."""
    text = key.decode("latin-1")
    return f"{text[:3]}***{text[-2:]}" if len(text) >= 16 else "***"
