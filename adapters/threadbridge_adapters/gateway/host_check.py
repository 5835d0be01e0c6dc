"""Checks the `Host` of requests to a server without a key: a defence against DNS rebinding.

A page of any site can let its own name resolve to 127.0.0.1. To the browser the server then is the page's own origin:
it sends no `Origin` with a GET, and lets the page read every response. Only `Host` still has the page's name.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import Forbidden
from threadbridge.schemas.error_messages import shorten
from threadbridge_adapters.gateway.error_responses import send_error
from threadbridge_adapters.gateway.server import is_loopback

ANY_HOST: Final = "*"
_HOST: Final = re.compile(r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))(?::[0-9]*)?")


class HostMiddleware:
    """Rejects requests whose `Host` is neither a loopback name (localhost, 127.0.0.0/8, [::1]) nor one of `hosts`.

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
        hosts = [value for name, value in scope["headers"] if name == b"host"]
        if not hosts or (len(hosts) == 1 and self._is_allowed(parse_host(hosts[0]))):
            await self._app(scope, receive, send)
            return
        await send_error(self._make_error(hosts), scope, receive, send)

    def _is_allowed(self, host: str | None) -> bool:
        return host is not None and (host in self._hosts or is_loopback(host))

    def _make_error(self, hosts: Collection[bytes]) -> Forbidden:
        host = shorten(b", ".join(hosts).decode("latin-1"))
        return Forbidden(
            f"The host '{host}' is not allowed: this server requires no key, so it only accepts localhost, 127.0.0.1, "
            f"[::1] and the hosts in {self._setting}."
        )


@lru_cache(64)
def parse_host(header: bytes) -> str | None:
    """The name or address in a `Host` header, without port and brackets; None if it is not a host."""
    match = _HOST.fullmatch(header.decode("latin-1").lower())
    if match is None:
        return None
    return match["ipv6"] or match["name"].removesuffix(".")
