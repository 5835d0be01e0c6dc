"""API keys of the gateway: who may send requests, and for which tenant."""

from __future__ import annotations

import hashlib
import hmac
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import Unauthorized
from threadbridge.ports import RequestContext
from threadbridge.wire import create_request_id
from threadbridge_adapters.gateway.error_responses import send_error

#: Paths that a load balancer may request without a key.
PUBLIC_PATHS = frozenset({"/healthz"})

_MISSING_KEY_MESSAGE = (
    "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth "
    "(i.e. Authorization: Bearer YOUR_KEY)."
)


#: Where a request's `RequestContext` is in its ASGI scope.
_CONTEXT_KEY: Final = "threadbridge.request_context"
#: Hexadecimal digits of a key's SHA-256 that identify it in contexts.
_KEY_ID_DIGITS: Final = 12


def get_request_context(scope: Scope) -> RequestContext:
    """The context of a request that has passed `ApiKeyMiddleware`."""
    context: RequestContext = scope[_CONTEXT_KEY]
    return context


class ApiKeyMiddleware:
    """Gives each request its context and rejects requests without the key.

    The key is sent as a bearer token or, as with Azure (C19), in `api-key`. With `key` None nothing is checked.
    """

    def __init__(self, app: ASGIApp, *, tenant: str, key: str | None) -> None:
        self._app = app
        self._tenant = tenant
        self._key = None if key is None else key.encode()
        self._key_id = None if self._key is None else hashlib.sha256(self._key).hexdigest()[:_KEY_ID_DIGITS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._key is not None and scope["path"] not in PUBLIC_PATHS:
                presented_key = _get_presented_key(scope)
                if presented_key is None or not hmac.compare_digest(presented_key, self._key):
                    await send_error(_build_unauthorized_error(presented_key), scope, receive, send)
                    return
            scope[_CONTEXT_KEY] = RequestContext(self._tenant, self._key_id, create_request_id())
        await self._app(scope, receive, send)


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
    """The first and last characters of a key, for its owner to recognize it; too few to guess the rest."""
    text = key.decode("latin-1")
    return f"{text[:3]}***{text[-2:]}" if len(text) >= 16 else "***"
