"""Repeats calls to a Responses service that failed for a reason that may pass."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from threadbridge.errors import UpstreamError
from threadbridge.translation.error_classifier import ErrorKind, classify_error

T = TypeVar("T")

#: Attempts of one call before it has failed.
ATTEMPTS = 8

#: Seconds before the first repetition, and the longest wait.
_FIRST_WAIT, _MAX_WAIT = 0.5, 30.0


class UpstreamRetries:
    """Waits between the attempts of calls: as long as the service asks, else longer each time.

    `wait` is `asyncio.sleep`. `repeated_calls` counts the repetitions of all calls.
    """

    def __init__(self, *, attempts: int = ATTEMPTS, wait: Callable[[float], Awaitable[object]] = asyncio.sleep) -> None:
        self.attempts = attempts
        self.repeated_calls = 0
        self._wait = wait

    async def call(self, send: Callable[[], Awaitable[T]]) -> T:
        """Send a request, and repeat it after transient errors. Raises the UpstreamError of the last attempt."""
        attempt = 1
        while True:
            try:
                return await send()
            except UpstreamError as error:
                await self.wait_after(error, attempt)
            attempt += 1

    async def wait_after(self, error: UpstreamError, attempt: int) -> None:
        """Wait before the next attempt. Raises the error after the last one, and if a repetition cannot help."""
        is_locked = any(match.kind is ErrorKind.CONVERSATION_LOCKED for match in classify_error(error, {}))
        is_transient = is_locked or error.status in (408, 409, 429) or error.status >= 500
        if not is_transient or error.code == "insufficient_quota" or attempt >= self.attempts:
            raise error
        self.repeated_calls += 1
        backoff = min(_FIRST_WAIT * 2 ** (attempt - 1), _MAX_WAIT) * random.uniform(0.75, 1.25)  # noqa: S311 - jitter
        await self._wait(min(error.retry_after or backoff, 4 * _MAX_WAIT))
