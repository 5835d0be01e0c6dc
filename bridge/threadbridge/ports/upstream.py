"""The port of an upstream: a Responses API service with its files, vector stores and containers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol
from urllib.parse import quote, urlencode

from threadbridge.api_types import JsonMapping, JsonObject, ResponseEvent, ResponseObject
from threadbridge.errors import UpstreamError

#: Ids that a path cannot hold: empty, only dots (a relative path), or with control characters.
_UNUSABLE_ID = re.compile(r"\.*|.*[\x00-\x1f\x7f].*", re.DOTALL)


def build_path(collection: str, *segments: str, **query: object) -> str:
    """A path relative to `/v1`, for instance `/vector_stores/vs_1/files?limit=100`; a query value of None is omitted.

    Every id is escaped and is exactly one segment. Raises UpstreamError with status 404 for an id that no service has
    and that no path can hold.
    """
    path = f"/{collection}"
    for segment in segments:
        if _UNUSABLE_ID.fullmatch(segment):
            raise UpstreamError(f"No such object in {path}: {segment!r}", status=404)
        path += "/" + quote(segment, safe="", errors="replace")
    parameters = {name: value for name, value in query.items() if value is not None}
    return f"{path}?{urlencode(parameters)}" if parameters else path


@dataclass(frozen=True, slots=True)
class UpstreamCapabilities:
    """The capabilities of one upstream. One that is False is emulated, or omitted with a warning; it is never used."""

    #: `store: true` stores a response, so that a later request can continue from it (S11).
    stored_responses: bool = True
    #: `/conversations`.
    conversations: bool = True
    #: `background: true` returns a response before it is finished (S7). ThreadBridge does not use it.
    background: bool = True
    #: The parameter `store` is accepted.
    store_parameter: bool = True
    #: Files, which messages with images need.
    files: bool = True
    #: Vector stores and the tool that searches them (S12).
    file_search: bool = True
    #: Containers and the tool that runs code in them (S12).
    code_interpreter: bool = True
    #: `/responses/input_tokens` (S9).
    input_tokens: bool = True
    #: Compaction of long histories (S9).
    compaction: bool = True
    #: Encrypted reasoning, which can be sent back.
    encrypted_reasoning: bool = True
    #: `tool_choice` may name a tool (S10).
    forced_tool_choice: bool = True
    #: `tool_choice` may be `required` (S10).
    required_tool_choice: bool = True
    #: `/models` (S9).
    model_list: bool = True
    #: The parameter `prompt_cache_key` is accepted.
    prompt_cache_key: bool = True
    #: The capabilities of other hosted tools, by name.
    other_tools: frozenset[str] = frozenset()


class ParameterRejection(NamedTuple):
    """An upstream model rejected a parameter; `at` is the Unix time in seconds."""

    model: str
    parameter: str
    at: float


@dataclass(frozen=True, slots=True)
class UpstreamResponse:
    """A complete response object of the Responses API, and the id of its request (`x-request-id`)."""

    body: ResponseObject
    request_id: str | None = None


class UpstreamStream(Protocol):
    """The events of one streamed response, parsed, in order. Iterate once, then close."""

    @property
    def request_id(self) -> str | None:
        """The id that the upstream assigned to the request."""
        ...

    def __aiter__(self) -> AsyncIterator[ResponseEvent]:
        """The events. Raises `errors.UpstreamError` when the connection breaks or an event cannot be read."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...


class Upstream(Protocol):
    """A Responses API service. Its answers are parsed; the bodies of requests for responses are encoded JSON.

    The implementation retries, limits the rate and authenticates. A request that still fails raises
    `errors.UpstreamError` with the upstream's status, code, message and request id.

    The paths of `request`, `upload` and `download` are relative to `/v1` (`/vector_stores/vs_1/files`) and may have a
    query.
    """

    @property
    def name(self) -> str:
        """The name of this upstream in the store and in log lines: host and path, without secrets.

        Empty for an upstream whose ids are not valid in another process (the simulator).
        """
        ...

    @property
    def base_url(self) -> str | None:
        """The base URL of requests, or None. Prices are looked up by it."""
        ...

    @property
    def capabilities(self) -> UpstreamCapabilities:
        """The capabilities of this upstream."""
        ...

    async def create_response(self, body: bytes) -> UpstreamResponse:
        """`POST /responses` without streaming."""
        ...

    async def stream_response(self, body: bytes) -> UpstreamStream:
        """`POST /responses` with `stream: true` in the body; returns when the upstream has accepted the request."""
        ...

    async def request(self, method: str, path: str, body: JsonMapping | None = None) -> JsonObject:
        """Any other request whose response is a JSON object; `body` is sent as JSON."""
        ...

    async def upload(
        self, path: str, *, filename: str, content: AsyncIterator[bytes], fields: Mapping[str, str]
    ) -> JsonObject:
        """`POST` a file as multipart form data. The content is streamed and not buffered, so it is not retried.

        The file is the field `file`; `fields` are sent before it.
        """
        ...

    def download(self, path: str) -> AbstractAsyncContextManager[AsyncIterator[bytes]]:
        """`GET` a body in chunks. Entering raises if the upstream rejects the request, the iterator if it breaks."""
        ...

    async def aclose(self) -> None:
        """Close connections."""
        ...
