"""Slows down guesses of the gateway's key: each client address has a budget of wrong keys, which refills over time."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from typing import Final

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
