"""How an export asks its source."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import stamina

from tests.request_context import CONTEXT
from threadbridge.api_types import JsonValue
from threadbridge.errors import BridgeError, NotFound, StoreError, Unauthorized, UpstreamError
from threadbridge.ports import ListQuery
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.request_rate import RequestRate


class Flaky:
    """Fails with the errors it was given, then answers."""

    def __init__(self, *errors: BridgeError) -> None:
        self.errors = list(errors)
        self.calls = 0

    async def __call__(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "answer"


PASSING = [UpstreamError("x", status=status) for status in (408, 429, 500, 502, 503, 504)]

LASTING: list[BridgeError] = [
    NotFound("x"),
    Unauthorized("x"),
    StoreError("x"),
    UpstreamError("x", status=404),
    UpstreamError("x", status=429, code="insufficient_quota"),
]


@pytest.mark.parametrize("error", PASSING, ids=lambda error: str(error.status))
async def test_a_failure_that_may_pass_is_followed_by_another_attempt(error: BridgeError) -> None:
    requests, call = RateLimitedSource(CONTEXT, concurrency=1, attempts=2), Flaky(error)

    assert await requests.request(call) == "answer"
    assert (call.calls, requests.retries) == (2, 1)


@pytest.mark.parametrize("error", LASTING, ids=lambda error: f"{type(error).__name__}-{error.status}")
async def test_a_failure_that_lasts_is_raised_at_once(error: BridgeError) -> None:
    requests, call = RateLimitedSource(CONTEXT, concurrency=1, attempts=3), Flaky(error)

    with pytest.raises(type(error)):
        await requests.request(call)

    assert (call.calls, requests.retries) == (1, 0)


async def test_when_one_is_told_to_wait_all_wait() -> None:
    requests = RateLimitedSource(CONTEXT, concurrency=4, attempts=1)
    loop = asyncio.get_running_loop()
    with pytest.raises(UpstreamError):
        await requests.request(Flaky(UpstreamError("Slow down.", status=429, retry_after=0.1)))
    started = loop.time()

    await asyncio.gather(*(requests.request(Flaky()) for _ in range(4)))

    assert 0.08 < loop.time() - started < 2


async def test_a_wait_beyond_all_bounds_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("rate_limited_source", "request_rate"):
        monkeypatch.setattr(f"threadbridge_migrate.export.{module}.MAX_RETRY_AFTER", 0.05)
    requests = RateLimitedSource(CONTEXT, concurrency=1, attempts=2)

    with stamina.set_testing(False):
        answer = await asyncio.wait_for(requests.request(Flaky(UpstreamError("x", status=429, retry_after=86400.0))), 5)

    assert answer == "answer"


async def test_a_pace_spaces_requests() -> None:
    requests = RateLimitedSource(CONTEXT, concurrency=10, attempts=1, rate=RequestRate(100))
    loop = asyncio.get_running_loop()
    started = loop.time()

    await asyncio.gather(*(requests.request(Flaky()) for _ in range(11)))

    assert loop.time() - started >= 0.08


def pages_of(*pages: JsonValue) -> tuple[list[ListQuery], Callable[[ListQuery], Awaitable[JsonValue]]]:
    """The queries that will have been asked, and the asking."""
    queries: list[ListQuery] = []

    async def ask(query: ListQuery) -> JsonValue:
        queries.append(query)
        return pages[len(queries) - 1]

    return queries, ask


async def test_pages_follow_one_another_by_their_last_id() -> None:
    first = {"data": [{"id": "a"}, {"id": "b"}], "has_more": True}
    queries, ask = pages_of(first, {"data": [{"id": "c"}], "has_more": False})

    pages = [page async for page in RateLimitedSource(CONTEXT, concurrency=1, attempts=1).iterate_pages(ask)]

    assert pages == [[{"id": "a"}, {"id": "b"}], [{"id": "c"}]]
    assert queries == [ListQuery(limit=100, order="asc"), ListQuery(limit=100, order="asc", after="b")]


async def test_an_empty_page_ends_a_list_whatever_it_says() -> None:
    _, ask = pages_of({"data": [], "has_more": True})

    assert [page async for page in RateLimitedSource(CONTEXT, concurrency=1, attempts=1).iterate_pages(ask)] == []


async def test_a_source_that_repeats_a_page_is_not_asked_for_ever() -> None:
    page = {"data": [{"id": "a"}], "has_more": True}
    _, ask = pages_of(page, page, page)

    with pytest.raises(UpstreamError, match="repeats a page"):
        _ = [page async for page in RateLimitedSource(CONTEXT, concurrency=1, attempts=1).iterate_pages(ask)]
