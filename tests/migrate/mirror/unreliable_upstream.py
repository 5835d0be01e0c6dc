"""The simulator behind a connection that fails: errors before a request is performed, and after."""

from __future__ import annotations

import random

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import UpstreamError
from threadbridge_adapters.simulator import SimulatedUpstream, Simulator


class UnreliableUpstream(SimulatedUpstream):
    """An upstream of which a share of the requests fails. `calls` are those that arrived: method, path, items."""

    def __init__(self, simulator: Simulator, *, share: float = 0.0, seed: int = 1) -> None:
        super().__init__(simulator)
        self.share = share
        self.calls: list[tuple[str, str, int]] = []
        self._random = random.Random(seed)  # noqa: S311 - not for secrets

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        if self._random.random() >= self.share:
            return await self._perform(method, path, body)
        match self._random.choice(["limited", "locked", "failed", "lost"]):
            case "limited":
                raise UpstreamError("Rate limit reached", status=429, code="rate_limit_exceeded", retry_after=0.1)
            case "locked":
                raise UpstreamError("Another process is using it", status=409, code="conversation_locked")
            case "failed":
                raise UpstreamError("The server had an error", status=500)
            case _:
                await self._perform(method, path, body)
                raise UpstreamError("The connection broke", status=502)

    async def _perform(self, method: str, path: str, body: JsonMapping | None) -> JsonObject:
        items: list[object] = list((body or {}).get("items") or [])
        self.calls.append((method, path, len(items)))
        return await super().request(method, path, body)
