"""Who may send requests: clients with the key, within a limit of wrong keys; by an allowed host; from allowed pages."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import math
import re
import time
from collections.abc import Callable, Collection
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import Forbidden, Unauthorized, UpstreamError
from threadbridge.ports import RequestContext
from threadbridge.schemas.error_messages import shorten
from threadbridge.wire import create_request_id
from threadbridge_adapters.gateway.error_responses import send_error
from threadbridge_adapters.gateway.server import is_loopback

#: Addresses whose wrong keys are counted at the same time; the oldest are forgotten first.
MAX_ADDRESSES: Final = 4096
#: Leading bits of an IPv6 address that count: one client has all addresses of such a network.
_IPV6_BITS: Final = 64


class KeyGuessLimiter:
    """The wrong keys of each client address. With `per_minute` 0 nothing is limited."""

    def __init__(self, per_minute: int, *, now: Callable[[], float] = time.monotonic) -> None:
        self._per_minute = per_minute
        self._now = now
        #: By address: when its whole budget is available again.
        self._full_at: dict[str, float] = {}

    def get_delay(self, address: str) -> float:
        """Seconds until a request of this address may be answered; 0 if it may be now."""
        if not self._full_at:
            return 0.0
        full_at = self._full_at.get(_normalize(address))
        return 0.0 if full_at is None else max(0.0, full_at - self._now() - 60.0)

    def add_wrong_key(self, address: str) -> None:
        """Count a wrong key of this address."""
        if not self._per_minute:
            return
        now, client = self._now(), _normalize(address)
        full_at = max(self._full_at.pop(client, now), now) + 60.0 / self._per_minute
        while len(self._full_at) >= MAX_ADDRESSES:
            self._full_at.pop(next(iter(self._full_at)))
        self._full_at[client] = full_at


def _normalize(address: str) -> str:
    if ":" not in address:
        return address
    try:
        return str(ipaddress.ip_network((address.partition("%")[0], _IPV6_BITS), strict=False))
    except ValueError:
        return address


#: Paths that a load balancer may request without a key.
PUBLIC_PATHS = frozenset({"/healthz", "/readyz"})

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

    def __init__(self, app: ASGIApp, *, tenant: str, key: str | None, wrong_keys_per_minute: int = 0) -> None:
        self._app = app
        self._guesses = KeyGuessLimiter(wrong_keys_per_minute)
        self._tenant = tenant
        self._key = None if key is None else key.encode()
        self._key_id = None if self._key is None else hashlib.sha256(self._key).hexdigest()[:_KEY_ID_DIGITS]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            if self._key is not None and scope["path"] not in PUBLIC_PATHS:
                address = scope["client"][0] if scope.get("client") else ""
                if (delay := self._guesses.get_delay(address)) > 0:  # before the key is compared
                    await send_error(_build_guesses_error(delay), scope, receive, send)
                    return
                headers = dict(scope["headers"])
                authorization: bytes = headers.get(b"authorization", b"")
                scheme, _, token = authorization.partition(b" ")
                is_bearer = scheme.lower() == b"bearer" and bool(token.strip())
                key: bytes | None = token.strip() if is_bearer else headers.get(b"api-key")
                if key is None:
                    await send_error(Unauthorized(_MISSING_KEY_MESSAGE), scope, receive, send)
                    return
                if not hmac.compare_digest(key, self._key):
                    self._guesses.add_wrong_key(address)
                    # The first and last characters let the owner recognize the key, and are too few to guess the rest.
                    text = key.decode("latin-1")
                    masked_key = f"{text[:3]}***{text[-2:]}" if len(text) >= 16 else "***"
                    message = f"Incorrect API key provided: {masked_key}."
                    await send_error(Unauthorized(message, code="invalid_api_key"), scope, receive, send)
                    return
            scope[_CONTEXT_KEY] = RequestContext(self._tenant, self._key_id, create_request_id())
        await self._app(scope, receive, send)


def _build_guesses_error(delay: float) -> UpstreamError:
    """The error for an address with too many wrong keys, whatever key it presents now."""
    return UpstreamError(
        "Too many requests with a wrong API key came from your address. Try again later with the right key.",
        status=429,
        type="requests",
        code="rate_limit_exceeded",
        retry_after=math.ceil(delay),
    )


ANY_HOST: Final = "*"
_HOST: Final = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]*)?")


class HostMiddleware:
    """Rejects requests whose `Host` is neither a loopback name (localhost, 127.0.0.0/8, [::1]) nor one of `hosts`.

    A defence against DNS rebinding: a page of any site can let its own name resolve to 127.0.0.1. The browser then
    takes the server for the page's own origin: it sends no `Origin` with a GET, and lets the page read every response.
    Only `Host` still has the page's name.

    A request without a `Host` passes: every browser sends one. `setting` is the name of the setting for more hosts, for
    the error message.
    """

    def __init__(self, app: ASGIApp, *, hosts: Collection[str], setting: str) -> None:
        self._app = app
        self._hosts = frozenset(host.strip("[]") for host in hosts)
        self._setting = setting

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or ANY_HOST in self._hosts:
            await self._app(scope, receive, send)
            return
        headers: list[bytes] = [value for name, value in scope["headers"] if name == b"host"]
        if not headers or (len(headers) == 1 and self._is_allowed(headers[0])):
            await self._app(scope, receive, send)
            return
        sent_hosts = shorten(b", ".join(headers).decode("latin-1"))
        error = Forbidden(
            f"The host '{sent_hosts}' is not allowed: this server requires no key, so it only accepts localhost, "
            f"127.0.0.1, [::1] and the hosts in {self._setting}."
        )
        await send_error(error, scope, receive, send)

    def _is_allowed(self, header: bytes) -> bool:
        if is_loopback_host(header):
            return True
        host = parse_host(header)
        return host is not None and host in self._hosts


def parse_host(header: bytes) -> str | None:
    """The name or address in a `Host` header, without port and brackets; None if it is not a host."""
    match = _HOST.fullmatch(header.decode("latin-1").lower())
    if match is None:
        return None
    return match["ipv6"] or match["name"].removesuffix(".")


@lru_cache(64)
def is_loopback_host(header: bytes) -> bool:
    """Whether a `Host` header has the name of this machine. Cached: a client sends the same one with each request."""
    host = parse_host(header)
    return host is not None and is_loopback(host)


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
ANY_ORIGIN: Final = "*"
#: `Sec-Fetch-Site` of a page that is not of the gateway's own origin.
_OTHER_SITES: Final = frozenset({"cross-site", "same-site"})
#: Headers by which a browser says which page sent a request. Programs and the gateway's own pages send none.
_PAGE_HEADERS: Final = frozenset({b"origin", b"sec-fetch-site"})


def add_cors(app: ASGIApp, origins: Collection[str]) -> ASGIApp:
    """The application with CORS headers for these origins, on error responses too; by default for no origin."""
    if not origins:
        return app
    return CORSMiddleware(
        app,
        allow_origins=origins,
        allow_methods=_METHODS,
        allow_headers=("*",),
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
        rejected_pages: str | None = None
        if scope["type"] == "http" and ANY_ORIGIN not in self._origins:
            for name, _ in scope["headers"]:
                if name in _PAGE_HEADERS:
                    rejected_pages = self._find_rejected_pages(scope)
                    break
        if rejected_pages is None:
            await self._app(scope, receive, send)
            return
        await send_error(Forbidden(f"{rejected_pages} may not use this gateway{self._advice}."), scope, receive, send)

    def _find_rejected_pages(self, scope: Scope) -> str | None:
        """The pages that sent the request, if they are not allowed."""
        origins = _get_headers(scope, b"origin")
        for origin in origins:
            try:
                host = urlsplit(origin).hostname or ""
            except ValueError:
                host = ""
            if origin not in self._origins and not is_loopback(host):
                return f"Pages of '{shorten(origin)}'"
        if not origins and not _OTHER_SITES.isdisjoint(site.lower() for site in _get_headers(scope, b"sec-fetch-site")):
            return "Pages of other sites"
        return None


def _get_headers(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1").strip() for each, value in scope["headers"] if each == name]
