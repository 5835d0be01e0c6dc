"""The port of a backend that answers requests beside those of the Assistants API."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from threadbridge.ports.request_context import RequestContext
from threadbridge.ports.wire_types import PassthroughRequest, WireResponse


@runtime_checkable
class HandlesPassthrough(Protocol):
    """What a backend offers that has something to say about files, vector stores and the rest of the service.

    A door asks it first, and without it (or where it has nothing to say) asks the service behind over the network.
    """

    async def handle_passthrough(self, context: RequestContext, request: PassthroughRequest) -> WireResponse | None:
        """The answer; None, with the body untouched, where the request is for the service behind.

        Refusals are answers too. A body that is streamed raises `errors.UpstreamError` where it breaks off.
        """
        ...
