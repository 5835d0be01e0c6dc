"""How long a prompt is, as the service counts it."""

from __future__ import annotations

import asyncio

from threadbridge.errors import UpstreamError
from threadbridge.ports import Upstream, Wire
from threadbridge.translation.input_token_count import PATH, count_request, counted_tokens


async def exact_tokens(upstream: Upstream, body: Wire, *, seconds: float) -> int:
    """The tokens of a request for a response. Raises UpstreamError where the service does not say in time."""
    try:
        async with asyncio.timeout(seconds):
            answer = await upstream.call("POST", PATH, count_request(body))
    except TimeoutError:
        raise UpstreamError(f"It took longer than {seconds:g} s.") from None
    counted = counted_tokens(answer)
    if counted is None:
        raise UpstreamError("There is no number of tokens in its answer.")
    return counted
