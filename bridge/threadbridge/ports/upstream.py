"""The port of an upstream: a Responses API service, with the files, vector stores and containers beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from threadbridge.ports.wire_types import Wire


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
    """A Responses API service. Answers are parsed dictionaries; the bodies of responses are ready JSON bytes.

    Retries, pacing and authentication are the implementation's; what still fails is an `errors.UpstreamError`
    with the service's status, code, message and request id.

    The paths of `call`, `upload` and `download` begin below `/v1` (`/vector_stores/vs_1/files`) and may have a query.
    """

    async def create_response(self, body: bytes) -> UpstreamResponse:
        """`POST /responses`, answered whole."""
        ...

    async def stream_response(self, body: bytes) -> UpstreamStream:
        """`POST /responses` with `stream: true` in the body; returns when the service accepted it."""
        ...

    async def request(self, method: str, path: str, body: Wire | None = None) -> Wire:
        """Any other request that is answered with a JSON object; `body` is sent as JSON."""
        ...

    async def upload(
        self, path: str, *, filename: str, content: AsyncIterator[bytes], fields: Mapping[str, str]
    ) -> Wire:
        """`POST` a file as multipart form data, as it comes: it is never held whole, and so never tried again.

        The file is the field `file`; `fields` are sent before it.
        """
        ...

    def download(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """`GET` a body as it comes. Entering raises when the service refuses, the iterator when it breaks off."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
