"""Calls to one Assistants-v2 service: ready bytes out, parsed dictionaries in, the SDK's connection between."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, cast

import openai
import orjson

from threadbridge.errors import UpstreamError
from threadbridge.ports import Wire
from threadbridge_adapters.assistants._error_mapping import Border
from threadbridge_adapters.assistants._stream import RunStream
from threadbridge_adapters.openai_http.error_mapping import request_id, retry_after
from threadbridge_adapters.openai_http.httpx_compat import RESPONSE_TYPE, StreamedResponse

#: The longest `Retry-After` that is waited for; a service that asks for more gets its error raised.
MAX_RETRY_AFTER = 60.0

#: Seconds before the first and the longest pause before a later repetition of a POST.
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 8.0

#: Statuses that say the service did not take the request on.
_NOT_TAKEN_ON = frozenset({429, 503})

#: Names, in both HTTP libraries, of failures before the first byte of a request was sent.
_NO_CONNECTION = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})


@dataclass(frozen=True, slots=True)
class Call:
    """One operation. `repeatable`: doing it twice does no harm, so any failure may be followed by another attempt."""

    method: Literal["GET", "POST", "DELETE"]
    path: str
    params: Mapping[str, object] = field(default_factory=dict[str, object])
    body: Wire | None = None
    repeatable: bool = True
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


class Answer(NamedTuple):
    """A parsed JSON object and the headers it came with (names in any case)."""

    body: Wire
    headers: Mapping[str, str]


class Service:
    """Sends calls, repeats what may be repeated, raises what the port promises."""

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
        self._border = Border(client)

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.close()

    async def ask(self, call: Call) -> Answer:
        """The answer to a call. Raises RequestError and UpstreamError as `_failures` says."""
        response = await self._send(call, stream=False)
        try:
            parsed = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            parsed = None
        if not isinstance(parsed, dict):
            raise self._not_json(response)
        return Answer(parsed, response.headers)

    async def stream(self, call: Call) -> RunStream:
        """The events of a streamed call, once the service has accepted it."""
        response = await self._send(call, stream=True)
        if not response.headers.get("content-type", "").startswith("text/event-stream"):
            await response.aclose()
            raise self._border.broken("answered a streamed run with something other than a stream of events")
        return RunStream(response, self._border)

    async def _send(self, call: Call, *, stream: bool) -> StreamedResponse:
        attempts = 0
        while True:
            attempts += 1
            try:
                return await self._once(call, stream=stream)
            except openai.OpenAIError as exc:
                pause = None if call.repeatable or attempts > self._max_retries else _pause(exc, attempts)
                if pause is None:
                    raise self._border.translate(exc) from exc
            await self._sleep(pause)

    async def _once(self, call: Call, *, stream: bool) -> StreamedResponse:
        options: dict[str, Any] = {"params": dict(call.params), "headers": dict(call.headers)}
        if not call.repeatable:
            options["max_retries"] = 0
        arguments: dict[str, Any] = {"cast_to": RESPONSE_TYPE, "options": options}
        match call.method:
            case "GET":
                answer = self._client.get(call.path, stream=stream, **arguments)
            case "DELETE":
                answer = self._client.delete(call.path, **arguments)
            case "POST":
                content = None if call.body is None else orjson.dumps(call.body)
                answer = self._client.post(call.path, content=content, stream=stream, **arguments)
        return cast(StreamedResponse, await answer)

    def _not_json(self, response: StreamedResponse) -> UpstreamError:
        return self._border.broken(
            f"answered {response.status_code} with something other than a JSON object; check `assistants.base_url`",
            request_id=request_id(response.headers),
        )


def _pause(error: openai.OpenAIError, attempts: int) -> float | None:
    """Seconds to wait before a call that starts something is sent again; None: it may have been started."""
    backoff = min(FIRST_PAUSE * 2.0 ** (attempts - 1), LONGEST_PAUSE)
    match error:
        case openai.APIStatusError(status_code=status) if status in _NOT_TAKEN_ON:
            asked = retry_after(error.response.headers)
            return backoff if asked is None else asked if asked <= MAX_RETRY_AFTER else None
        case openai.APIConnectionError() if type(error.__cause__).__name__ in _NO_CONNECTION:
            return backoff
        case _:
            return None
