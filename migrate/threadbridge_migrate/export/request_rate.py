"""The rate of requests to one source: fixed by hand, stated by its rate headers, or learned from what it throttled.

Without rate headers the rate starts low and doubles four times a second. The first 429 ends that: the rate falls to
what the source is known to accept, and grows again by 2 % after every 20 seconds without a 429.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Final

#: Requests per second at the start, and seconds until the rate doubles, as long as nothing was throttled.
INITIAL_RATE: Final = 200.0
DOUBLING_SECONDS: Final = 0.25
#: A rate above this one is no limit: the number of concurrent requests is.
UNLIMITED_RATE: Final = 5000.0

#: Seconds without a 429 after which a learned rate grows, and its factor.
PROBE_SECONDS, PROBE_FACTOR = 20.0, 1.02
#: The lowest learned rate.
MIN_RATE: Final = 0.5

#: The longest wait for a service's `Retry-After`, in seconds.
MAX_RETRY_AFTER: Final = 120.0
#: Seconds of unused rate that may be made up for, because a timer never fires exactly.
_CREDIT_SECONDS: Final = 0.02

_THROTTLED: Final = 429
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_UNITS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "": 1.0}


class RequestRate:
    """Decides when the next request may be sent; shared by all readers of one source.

    `fixed` is a rate in requests per second that is never exceeded; with it, headers are only read after a 429.
    """

    def __init__(self, fixed: float | None = None) -> None:
        self._fixed = fixed
        self.rate: float | None = fixed or INITIAL_RATE
        self.throttled = 0
        self._is_starting = fixed is None
        self._has_headers = False
        self._next_at = 0.0
        self._blocked_until = 0.0
        self._changed_at: float | None = None
        self._throttled_at = 0.0
        self._accepted = 0
        self._accepted_rate = INITIAL_RATE
        self._lock = asyncio.Lock()

    async def wait(self) -> None:
        """Wait until one more request may be sent."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if self._changed_at is None:
            self._changed_at = self._throttled_at = now
        self._grow(now)
        if self.rate is None and self._blocked_until <= now:
            return
        async with self._lock:
            now = loop.time()
            start = max(self._next_at, self._blocked_until, now - _CREDIT_SECONDS)
            self._next_at = start + (1.0 / self.rate if self.rate else 0.0)
            if start > now:
                await asyncio.sleep(start - now)

    def block(self, seconds: float) -> None:
        """Send nothing for so long: a source that asks one request to wait would answer all others likewise."""
        until = asyncio.get_running_loop().time() + min(seconds, MAX_RETRY_AFTER)
        self._blocked_until = max(self._blocked_until, until)

    def observe(self, status: int, headers: Mapping[str, str]) -> None:
        """Learn from a response."""
        now = asyncio.get_running_loop().time()
        if status == _THROTTLED:
            self.throttled += 1
            self._slow_down(now)
        else:
            self._accepted += 1
        if self._fixed is not None:
            return
        remaining = headers.get("x-ratelimit-remaining-requests", "")
        reset = parse_duration(headers.get("x-ratelimit-reset-requests", ""))
        if remaining.isdigit() and reset is not None:
            # Spread over the time until the reset, both a window and a bucket are used up, and never exceeded.
            self._has_headers, self._is_starting = True, False
            self.rate = max(int(remaining) / max(reset, 0.001), min(1.0 / max(reset, 0.001), MIN_RATE))

    def _grow(self, now: float) -> None:
        if self._fixed is not None or self._has_headers or self.rate is None:
            return
        seconds = DOUBLING_SECONDS if self._is_starting else PROBE_SECONDS
        if now - (self._changed_at or now) < seconds:
            return
        self._accepted_rate = self.rate
        self.rate *= 2.0 if self._is_starting else PROBE_FACTOR
        self._changed_at = now
        if self.rate > UNLIMITED_RATE:
            self.rate = None

    def _slow_down(self, now: float) -> None:
        """Choose a lower rate, once for all requests that were under way."""
        if self._fixed is not None or now < self._blocked_until or now - self._throttled_at < DOUBLING_SECONDS:
            return
        rejected = self.rate or UNLIMITED_RATE
        measured = self._accepted / max(now - self._throttled_at, 0.001)
        if rejected <= self._accepted_rate:
            self._accepted_rate = rejected / 2
        self.rate = max(MIN_RATE, self._accepted_rate, min(0.98 * measured, 0.9 * rejected))
        self._is_starting = False
        self._changed_at = self._throttled_at = now
        self._accepted = 0
        self._next_at = now


def parse_duration(text: str) -> float | None:
    """The seconds of `1s`, `6m0s`, `120ms` or `3`; None for anything else."""
    pieces = _DURATION.findall(text)
    if not pieces or "".join(number + unit for number, unit in pieces) != text:
        return None
    return sum(float(number) * _UNITS[unit] for number, unit in pieces)
