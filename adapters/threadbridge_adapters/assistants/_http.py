"""HTTP calls to one Assistants v2 service over the connections of the openai SDK: paths, parameters and retries."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast
from urllib.parse import quote

import openai
import orjson

from threadbridge.api_types import JsonMapping, JsonObject, is_json_object
from threadbridge.errors import InvalidRequest
from threadbridge.ports import ListQuery
from threadbridge.wire.routes import OPERATIONS
from threadbridge_adapters.assistants._error_mapping import AssistantsErrorMapper
from threadbridge_adapters.assistants._stream import LegacyEventStream
from threadbridge_adapters.openai_http.error_mapping import get_request_id, parse_retry_after
from threadbridge_adapters.openai_http.httpx_compat import RESPONSE_TYPE, StreamedResponse

#: Prefixes of the ids in a path (A9, A16).
ID_PREFIXES: Mapping[str, str] = {
    "assistant_id": "asst",
    "thread_id": "thread",
    "message_id": "msg",
    "run_id": "run",
    "step_id": "step",
}
_PATHS: Mapping[str, str] = {operation.name: operation.path for operation in OPERATIONS}

#: The longest `Retry-After` that is honoured; for a longer one the error is raised.
MAX_RETRY_AFTER = 60.0

#: Seconds before the first retry of a POST, and the longest delay before a later one.
FIRST_RETRY_DELAY, MAX_RETRY_DELAY = 0.5, 8.0

#: Statuses which state that the service did not process the request.
_NOT_ACCEPTED_STATUSES = frozenset({429, 503})

#: Names, in both HTTP libraries, of failures before the first byte of a request was sent.
_CONNECTION_ERROR_NAMES = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})


@dataclass(frozen=True, slots=True)
class ServiceRequest:
    """One operation. If `is_idempotent`, the SDK may retry it after any passing failure."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    body: JsonMapping | None = None
    is_idempotent: bool = True
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class ServiceResponse(NamedTuple):
    """A parsed JSON object and the response headers (names are case-insensitive)."""

    body: JsonObject
    headers: Mapping[str, str]


class LegacyServiceClient:
    """Sends calls, retries those that may be retried, and raises the errors of the port."""

    def __init__(
        self,
        client: openai.AsyncOpenAI,
        *,
        max_retries: int,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._max_retries = max_retries
        self._sleep = sleep
        self._error_mapper = AssistantsErrorMapper(client)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def request(self, service_request: ServiceRequest) -> ServiceResponse:
        """The response to a call. Raises RequestError and UpstreamError as `_error_mapping` describes."""
        response = await self._send(service_request, stream=False)
        try:
            parsed = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            parsed = None
        if not is_json_object(parsed):
            raise self._error_mapper.build_failure(
                f"answered {response.status_code} with something other than a JSON object; check `assistants.base_url`",
                request_id=get_request_id(response.headers),
            )
        return ServiceResponse(parsed, response.headers)

    async def open_stream(self, service_request: ServiceRequest) -> LegacyEventStream:
        """The event stream of a call, after the service has accepted it. Raises the same errors as `request`."""
        response = await self._send(service_request, stream=True)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            await response.aclose()
            raise self._error_mapper.build_failure(
                "answered a streamed run with something other than a stream of events"
            )
        return LegacyEventStream(response, self._error_mapper)

    async def _send(self, service_request: ServiceRequest, *, stream: bool) -> StreamedResponse:
        headers = {**({"Accept": "text/event-stream"} if stream else {}), **service_request.headers}
        options: dict[str, Any] = {"params": dict(service_request.params), "headers": headers}
        if not service_request.is_idempotent:
            options["max_retries"] = 0
        arguments: dict[str, Any] = {"cast_to": RESPONSE_TYPE, "options": options}
        attempts = 0
        while True:
            attempts += 1
            match service_request.method:
                case "GET":
                    response = self._client.get(service_request.path, stream=stream, **arguments)
                case "DELETE":
                    response = self._client.delete(service_request.path, **arguments)
                case "POST":
                    content = None if service_request.body is None else orjson.dumps(service_request.body)
                    response = self._client.post(service_request.path, content=content, stream=stream, **arguments)
            try:
                return cast(StreamedResponse, await response)
            except openai.OpenAIError as exc:
                delay = (
                    None
                    if service_request.is_idempotent or attempts > self._max_retries
                    else _get_retry_delay(exc, attempts)
                )
                if delay is None:
                    raise self._error_mapper.map_error(exc) from exc
            await self._sleep(delay)


def _get_retry_delay(error: openai.OpenAIError, attempts: int) -> float | None:
    """Seconds before the retry of a call that is not idempotent; None if the service may have processed it."""
    backoff = min(FIRST_RETRY_DELAY * 2.0 ** (attempts - 1), MAX_RETRY_DELAY)
    match error:
        case openai.APIStatusError(status_code=status) if status in _NOT_ACCEPTED_STATUSES:
            requested_delay = parse_retry_after(error.response.headers)
            if requested_delay is None:
                return backoff
            return requested_delay if requested_delay <= MAX_RETRY_AFTER else None
        case openai.APIConnectionError() if type(error.__cause__).__name__ in _CONNECTION_ERROR_NAMES:
            return backoff
        case _:
            return None


def format_path(operation: str, **ids: str) -> str:
    """The path of an operation with its ids quoted so that each is exactly one segment.

    Raises InvalidRequest with the service's message (A16) for an id that cannot be quoted: empty, `.` or `..`.
    """
    for name, value in ids.items():
        if not value.strip("."):
            raise InvalidRequest(
                f"Invalid '{name}': '{value}'. Expected an ID that begins with '{ID_PREFIXES[name]}'.",
                param=name,
                code="invalid_value",
            )
    return _PATHS[operation].format_map({name: quote(value, safe="", errors="replace") for name, value in ids.items()})


def build_list_params(query: ListQuery) -> dict[str, object]:
    """The query string of a list operation (A11); unset parameters are omitted."""
    params = {
        "limit": query.limit,
        "order": query.order,
        "after": query.after,
        "before": query.before,
        "run_id": query.run_id,
    }
    return {name: value for name, value in params.items() if value is not None}


def build_include_params(include: Sequence[str]) -> dict[str, object]:
    """`include[]=…`, once per value."""
    return {"include": list(include)} if include else {}
