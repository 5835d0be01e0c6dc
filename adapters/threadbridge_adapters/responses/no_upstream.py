"""What a process that performs no runs has for an upstream."""

from __future__ import annotations

from threadbridge.errors import UpstreamError
from threadbridge.ports import UpstreamResponse, UpstreamStream

_REFUSAL = "This process performs no runs (performs_runs is false); start them where a gateway or a program does."


class NoUpstream:
    """`ports.Upstream` that refuses every request: a run started here by mistake fails and says why."""

    async def create(self, body: bytes) -> UpstreamResponse:  # noqa: ARG002  the port's signature
        raise UpstreamError(_REFUSAL)

    async def stream(self, body: bytes) -> UpstreamStream:  # noqa: ARG002  the port's signature
        raise UpstreamError(_REFUSAL)

    async def aclose(self) -> None:
        """There is nothing to close."""
