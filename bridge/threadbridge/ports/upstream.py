"""The port of an upstream: a Responses API service, with the files, vector stores and containers beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from threadbridge.api_types import Wire


@dataclass(frozen=True, slots=True)
class UpstreamCapabilities:
    """What one service can do. What is False is emulated, or left out with a warning, and never sent."""

    #: `store: true` keeps a response, and only a kept one can be gone on from (S11).
    stored_responses: bool = True
    #: `/conversations`.
    conversations: bool = True
    #: `background: true` answers at once with a response that is not finished (S7). No run of ours asks for that.
    background: bool = True
    #: `store` may be said at all.
    store_parameter: bool = True
    #: Files, of which messages show images.
    files: bool = True
    #: Vector stores and the tool that searches them (S12).
    file_search: bool = True
    #: Containers and the tool that runs code in them (S12).
    code_interpreter: bool = True
    #: `/responses/input_tokens` (S9).
    input_tokens: bool = True
    #: The service makes summaries of long histories (S9).
    compaction: bool = True
    #: Reasoning can be had encrypted, to be sent back.
    encrypted_reasoning: bool = True
    #: `tool_choice` may name a tool (S10).
    forced_tool_choice: bool = True
    #: `tool_choice` may be `required` (S10).
    required_tool_choice: bool = True
    #: `/models` (S9).
    model_list: bool = True
    #: `prompt_cache_key` may be said.
    prompt_cache_key: bool = True
    #: The capabilities of further hosted tools, by name: those that no field above stands for.
    other_tools: frozenset[str] = frozenset()


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

    The paths of `request`, `upload` and `download` begin below `/v1` (`/vector_stores/vs_1/files`) and may have a
    query.
    """

    @property
    def name(self) -> str:
        """What tells this service from others in the store and in log lines: host and path, never a secret.

        Empty for a service whose ids mean nothing in another process (the simulator).
        """
        ...

    @property
    def base_url(self) -> str | None:
        """The URL that requests are sent below; None where there is none. Prices are looked up by it."""
        ...

    @property
    def capabilities(self) -> UpstreamCapabilities:
        """What the service can do; what it cannot is emulated or left out, and never requested."""
        ...

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
