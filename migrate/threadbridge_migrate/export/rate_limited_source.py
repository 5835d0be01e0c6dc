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
from threadbridge_migrate.export.request_rate import MAX_RETRY_AFTER, RequestRate

T = TypeVar("T")

#: Objects per page: the maximum of the service (A11).
PAGE_SIZE = 100

#: Seconds before the first retry, and the longest delay before a later one.
INITIAL_BACKOFF, MAX_BACKOFF = 0.5, 10.0


class RateLimitedSource:
    """Sends all requests to one source; shared by concurrent readers."""

    def __init__(
        self, context: RequestContext, *, concurrency: int, attempts: int, rate: RequestRate | None = None
    ) -> None:
        self.context = context
        self.requests = 0
        self.retries = 0
        self.rate = rate or RequestRate()
        self._slots = asyncio.Semaphore(concurrency)
        self._attempts = attempts

    async def request(self, call: Callable[[], Awaitable[T]]) -> T:
        """The result of a call, retried after transient failures (connection, 408, 429, 5xx)."""
        # A request that succeeds at once, as most do, does not pay for the machinery of retries.
        try:
            return await self._send(call)
        except UpstreamError as error:
            failures = [error]
        async for attempt in stamina.retry_context(
            on=self._should_retry,
            attempts=self._attempts,
            timeout=None,
            wait_initial=INITIAL_BACKOFF,
            wait_max=MAX_BACKOFF,
        ):
            self.retries += attempt.num > 1
            with attempt:
                if failures:
                    raise failures.pop()
                return await self._send(call)
        raise AssertionError("stamina re-raises the last attempt's exception")

    async def _send(self, call: Callable[[], Awaitable[T]]) -> T:
        async with self._slots:
            await self.rate.wait()
            self.requests += 1
            return await call()

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
        self.rate.block(error.retry_after)
        return min(error.retry_after, MAX_RETRY_AFTER)


def _is_object_list(data: object) -> bool:
    return is_json_list(data) and all(
        is_json_object(each) and isinstance(each.get("id"), str) and each["id"] for each in data
    )
