"""Waiting until a time of the clock at most: the deadline of a request (`RequestContext.deadline`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from threadbridge.errors import UpstreamTimeout
from threadbridge.ports import Clock, EventReader

DEADLINE_PASSED_MESSAGE = "The request's time was up before the run ended. The run goes on: retrieve it to see how."


@asynccontextmanager
async def timeout_at(clock: Clock, deadline: float | None) -> AsyncGenerator[None]:
    """Like `asyncio.timeout_at`, by the time of `clock`. Raises TimeoutError."""
    if deadline is None:
        yield
        return
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as timeout:
        cancel_timer = clock.call_later(max(0.0, deadline - clock.now()), lambda: timeout.reschedule(loop.time()))
        try:
            yield
        finally:
            cancel_timer()


async def wait_for_events(reader: EventReader, clock: Clock, deadline: float | None) -> None:
    """Wait for a change of the reader's stream. Raises UpstreamTimeout at the deadline of the request."""
    try:
        async with timeout_at(clock, deadline):
            await reader.wait()
    except TimeoutError as exc:
        raise UpstreamTimeout(DEADLINE_PASSED_MESSAGE) from exc
