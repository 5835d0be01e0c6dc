"""Who may come in: the gateway's own key, as the legacy service asked for its own."""

from __future__ import annotations

import hmac

from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import Unauthorized
from threadbridge_adapters.gateway.error_responses import send_error

#: Paths that a load balancer may ask without a key.
PUBLIC_PATHS = frozenset({"/healthz"})

_MISSING_KEY_MESSAGE = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)


class ApiKeyMiddleware:
    """Lets requests through that present the key, as a bearer token or, Azure's way (C19), in `api-key`."""

    def __init__(self, app: ASGIApp, *, key: str) -> None:
        self._app = app
        self._key = key.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PUBLIC_PATHS:
            await self._app(scope, receive, send)
            return
        presented_key = _get_presented_key(scope)
        if presented_key is not None and hmac.compare_digest(presented_key, self._key):
            await self._app(scope, receive, send)
            return
        await send_error(_build_unauthorized_error(presented_key), scope, receive, send)


def _get_presented_key(scope: Scope) -> bytes | None:
    headers = dict(scope["headers"])
    authorization: bytes = headers.get(b"authorization", b"")
    scheme, _, token = authorization.partition(b" ")
    if scheme.lower() == b"bearer" and token.strip():
        return token.strip()
    return headers.get(b"api-key")


def _build_unauthorized_error(presented_key: bytes | None) -> Unauthorized:
    if presented_key is None:
        return Unauthorized(_MISSING_KEY_MESSAGE)
    return Unauthorized(f"Incorrect API key provided: {_mask_key(presented_key)}.", code="invalid_api_key")


def _mask_key(key: bytes) -> str:
    """Enough of a key for its owner to know it by, nothing to guess the rest from."""
    text = key.decode("latin-1")
    return f"{text[:3]}***{text[-2:]}" if len(text) >= 16 else "***"
