"""The port of an upstream: a Responses API service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from threadbridge.ports.values import Wire


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A complete response object of the Responses API and the id its request was given (`x-request-id`)."""

    body: Wire
    request_id: str | None = None


class UpstreamStream(Protocol):
    """The events of one streamed response, parsed, in order. Iterate once, then close."""

    @property
    def request_id(self) -> str | None:
        """The id the service gave to the request."""
        ...

    def __aiter__(self) -> AsyncIterator[Wire]:
        """The events. Raises `errors.UpstreamError` when the connection breaks or an event cannot be read."""
        ...

    async def aclose(self) -> None:
        """Hang up."""
        ...


class Upstream(Protocol):
    """A Responses API service. Bodies are ready JSON bytes, answers are parsed dictionaries.

    Retries, pacing and authentication are the implementation's; what still fails is an `errors.UpstreamError`
    with the service's status, code, message and request id.
    """

    async def create(self, body: bytes) -> UpstreamResponse:
        """`POST /responses`, answered whole."""
        ...

    async def stream(self, body: bytes) -> UpstreamStream:
        """`POST /responses` with `stream: true` in the body; returns when the service accepted it."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
