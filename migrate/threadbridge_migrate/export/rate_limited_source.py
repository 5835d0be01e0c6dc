"""Requests of an export: concurrency limit, rate limit, retries and paging."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

import stamina

from threadbridge.api_types import ListObject, is_json_list, is_json_object
from threadbridge.api_types.objects import ItemT
from threadbridge.errors import UpstreamError
from threadbridge.ports import ListQuery, RequestContext

T = TypeVar("T")

#: Objects per page: the maximum of the service (A11).
PAGE_SIZE = 100

#: The longest wait for a service's `Retry-After`, in seconds.
MAX_RETRY_AFTER = 120.0

#: Seconds before the first retry, and the longest delay before a later one.
INITIAL_BACKOFF, MAX_BACKOFF = 0.5, 10.0


class RateLimitedSource:
    """Sends all requests to one source; shared by concurrent readers."""

    def __init__(
        self, context: RequestContext, *, concurrency: int, attempts: int, per_minute: float | None = None
    ) -> None:
        self.context = context
        self.retries = 0
        self._slots = asyncio.Semaphore(concurrency)
        self._attempts = attempts
        self._interval = 60.0 / per_minute if per_minute else 0.0
        self._not_before = 0.0

    async def request(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of a call, retried after transient failures (connection, 408, 429, 5xx)."""
        async for attempt in stamina.retry_context(
            on=self._should_retry,
            attempts=self._attempts,
            timeout=None,
            wait_initial=INITIAL_BACKOFF,
            wait_max=MAX_BACKOFF,
        ):
            self.retries += attempt.num > 1
            with attempt:
                async with self._slots:
                    await self._wait_for_rate_limit()
                    return await call()
        raise AssertionError("stamina re-raises the last attempt's exception")

    async def iterate_pages(
        self, list_page: Callable[[ListQuery], Awaitable[ListObject[ItemT]]]
    ) -> AsyncIterator[Sequence[ItemT]]:
        """The pages of a list, oldest objects first. Raises UpstreamError if the source repeats a page."""
        after: str | None = None
        while True:
            query = ListQuery(limit=PAGE_SIZE, order="asc", after=after)
            page = await self.request(partial(list_page, query))
            data = page.get("data")
            if not _is_object_list(data):
                raise UpstreamError("The source sent a page that is not a list of objects with ids.")
            if data:
                yield data
            last = data[-1]["id"] if data else None
            if not page.get("has_more") or last is None:
                return
            if last == after:
                raise UpstreamError(f"The source repeats a page of its list: it ended with {last} twice.")
            after = last

    def _should_retry(self, error: Exception) -> bool | float:
        if not isinstance(error, UpstreamError) or error.code == "insufficient_quota":
            return False
        if error.status not in (408, 429) and error.status < 500:
            return False
        if error.retry_after is None:
            return True
        wait = min(error.retry_after, MAX_RETRY_AFTER)
        # All requests wait, because the others would get the same response.
        self._not_before = max(self._not_before, asyncio.get_running_loop().time() + wait)
        return wait

    async def _wait_for_rate_limit(self) -> None:
        """Wait until the rate limit allows one more request."""
        now = asyncio.get_running_loop().time()
        send_at = max(self._not_before, now)
        self._not_before = send_at + self._interval if self._interval else self._not_before
        if send_at > now:
            await asyncio.sleep(send_at - now)


def _is_object_list(data: object) -> bool:
    return is_json_list(data) and all(
        is_json_object(each) and isinstance(each.get("id"), str) and each["id"] for each in data
    )
