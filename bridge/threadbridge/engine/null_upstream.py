"""What a process that performs no runs has for an upstream."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.errors import UpstreamError
from threadbridge.ports import UpstreamCapabilities, UpstreamResponse, UpstreamStream

_NO_RUNS_MESSAGE = (
    "This process performs no runs (performs_runs is false); start them where a gateway or a program does."
)


class NullUpstream:
    """`ports.Upstream` that refuses every request: a run started here by mistake fails and says why."""

    name = ""
    base_url = None
    capabilities = UpstreamCapabilities()

    async def create_response(self, body: bytes) -> UpstreamResponse:  # noqa: ARG002  the port's signature
        raise UpstreamError(_NO_RUNS_MESSAGE)

    async def stream_response(self, body: bytes) -> UpstreamStream:  # noqa: ARG002  the port's signature
        raise UpstreamError(_NO_RUNS_MESSAGE)

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:  # noqa: ARG002
        raise UpstreamError(_NO_RUNS_MESSAGE)

    async def upload(
        self,
        path: str,  # noqa: ARG002
        *,
        filename: str,  # noqa: ARG002
        content: AsyncIterator[bytes],  # noqa: ARG002
        fields: Mapping[str, str],  # noqa: ARG002
    ) -> JsonObject:
        raise UpstreamError(_NO_RUNS_MESSAGE)

    def download(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:  # noqa: ARG002
        raise UpstreamError(_NO_RUNS_MESSAGE)

    async def aclose(self) -> None:
        """There is nothing to close."""
