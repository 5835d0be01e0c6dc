"""How long a prompt is, as the service counts it."""

from __future__ import annotations

import asyncio

from threadbridge.errors import UpstreamError
from threadbridge.ports import Upstream, Wire
from threadbridge.translation.request_builder import INPUT_TOKENS_PATH, build_count_request, parse_token_count


async def fetch_input_token_count(upstream: Upstream, body: Wire, *, seconds: float) -> int:
    """The tokens of a request for a response. Raises UpstreamError where the service does not say in time."""
    try:
        async with asyncio.timeout(seconds):
            answer = await upstream.request("POST", INPUT_TOKENS_PATH, build_count_request(body))
    except TimeoutError:
        raise UpstreamError(f"It took longer than {seconds:g} s.") from None
    token_count = parse_token_count(answer)
    if token_count is None:
        raise UpstreamError("There is no number of tokens in its answer.")
    return token_count
