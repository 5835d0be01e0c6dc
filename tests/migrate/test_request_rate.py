"""The rate of an export's requests, against sources that limit it."""

from __future__ import annotations

import asyncio

import pytest

from threadbridge_migrate.export.request_rate import RequestRate, parse_duration


class LimitedSource:
    """A bucket of tokens that refills at `rate`; it says how full it is, if `sends_headers`."""

    def __init__(self, rate: float, *, size: int, sends_headers: bool) -> None:
        self.rate, self.size, self.sends_headers = rate, size, sends_headers
        self.tokens, self.filled_at = float(size), 0.0
        self.accepted = self.throttled = 0

    def answer(self, now: float) -> tuple[int, dict[str, str]]:
        self.tokens = min(self.size, self.tokens + (now - (self.filled_at or now)) * self.rate)
        self.filled_at = now
        is_accepted = self.tokens >= 1
        self.tokens -= is_accepted
        self.accepted += is_accepted
        self.throttled += not is_accepted
        reset = (self.size - self.tokens) / self.rate
        limit = {"x-ratelimit-remaining-requests": str(int(self.tokens)), "x-ratelimit-reset-requests": f"{reset:.3f}s"}
        return 200 if is_accepted else 429, limit if self.sends_headers else {}


async def export_from(source: LimitedSource, rate: RequestRate, *, seconds: float, concurrency: int = 32) -> None:
    """Send requests for so long, each of 5 ms."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds

    async def send_requests() -> None:
        while loop.time() < end:
            await rate.wait()
            await asyncio.sleep(0.005)
            status, headers = source.answer(loop.time())
            rate.observe(status, headers)
            if status == 429:
                rate.block(0.05)

    await asyncio.gather(*(send_requests() for _ in range(concurrency)))


async def test_a_source_with_rate_headers_is_used_up_and_never_exceeded() -> None:
    source, rate = LimitedSource(400, size=100, sends_headers=True), RequestRate()

    await export_from(source, rate, seconds=2)

    assert source.accepted >= 0.8 * 400 * 2
    assert source.throttled <= 0.05 * source.accepted


async def test_a_source_without_rate_headers_is_approached_from_below() -> None:
    source, rate = LimitedSource(400, size=40, sends_headers=False), RequestRate()

    await export_from(source, rate, seconds=2)

    assert source.accepted >= 0.6 * 400 * 2
    assert source.throttled <= 0.15 * source.accepted


async def test_a_rate_by_hand_is_never_exceeded() -> None:
    source, rate = LimitedSource(10_000, size=10_000, sends_headers=True), RequestRate(100)

    await export_from(source, rate, seconds=1)

    assert 70 <= source.accepted <= 100 + 32 + 5  # requests that waited when the time was over


async def test_a_lower_rate_of_the_source_is_noticed() -> None:
    source, rate = LimitedSource(300, size=30, sends_headers=False), RequestRate()
    await export_from(source, rate, seconds=1)
    source.rate = 60.0

    await export_from(source, rate, seconds=1.5)

    assert rate.rate is not None
    assert rate.rate < 200


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("120ms", 0.12),
        ("3", 3),
        ("1h2m3.5s", 3723.5),
        ("", None),
        ("soon", None),
    ],
)
def test_durations_are_read_as_services_write_them(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds
