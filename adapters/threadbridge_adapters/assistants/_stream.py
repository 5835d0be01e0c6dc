"""The events of one streamed run, as the service sends them."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping

import orjson

from threadbridge.api_types import JsonObject, is_json_object
from threadbridge.errors import UpstreamError
from threadbridge.ports import Event
from threadbridge.run_states import TERMINAL_STATUSES, RunStatus
from threadbridge.sse import ServerSentEvent, SSEDecoder
from threadbridge_adapters.assistants._error_mapping import AssistantsErrorMapper
from threadbridge_adapters.openai_http.error_mapping import get_request_id
from threadbridge_adapters.openai_http.httpx_compat import STREAM_ERRORS, StreamedResponse

#: A stream may end without `done` after one of these, because not every service sends `done`.
_FINAL_EVENT_NAMES = frozenset(
    f"thread.run.{status.value}" for status in TERMINAL_STATUSES | {RunStatus.REQUIRES_ACTION}
)


class LegacyEventStream(AsyncIterator[Event]):
    """Yields events until `done`; raises UpstreamError on an `error` event or a broken connection.

    It closes itself at the end and may be closed earlier. It is a class because closing a generator that was never
    started would leave the connection open.
    """

    def __init__(self, response: StreamedResponse, error_mapper: AssistantsErrorMapper) -> None:
        self._response = response
        self._error_mapper = error_mapper
        self._chunks = response.aiter_bytes()
        self._decoder = SSEDecoder()
        self._frames: deque[ServerSentEvent] = deque()
        self._last_event_name: str | None = None
        self._closed = False

    @property
    def headers(self) -> Mapping[str, str]:
        """The response headers (names are case-insensitive)."""
        return self._response.headers

    async def __anext__(self) -> Event:
        if self._closed:
            raise StopAsyncIteration
        event: Event | None = None
        try:
            name, data, event_id = await self._read_frame()
            event = None if name == "done" else Event(name, self._parse_data(name, data), event_id)
            self._last_event_name = name
        finally:
            if event is None:  # after `done`, an error or a cancellation nothing more is read
                await self.aclose()
        if event is None:
            raise StopAsyncIteration
        return event

    async def aclose(self) -> None:
        """Close the connection; the run continues."""
        if not self._closed:
            self._closed = True
            await self._response.aclose()

    async def _read_frame(self) -> ServerSentEvent:
        while not self._frames:
            try:
                chunk = await anext(self._chunks)
            except StopAsyncIteration:
                if self._last_event_name in _FINAL_EVENT_NAMES:
                    return ServerSentEvent("done", b"")
                raise self._error_mapper.build_failure(
                    "ended a stream before the run was over; retrieve the run",
                    request_id=get_request_id(self._response.headers),
                ) from None
            except STREAM_ERRORS as exc:
                raise self._error_mapper.build_failure(
                    f"broke off a stream ({type(exc).__name__}); the run itself may continue, so retrieve it",
                    request_id=get_request_id(self._response.headers),
                ) from exc
            self._frames.extend(self._decoder.receive_data(chunk))
        return self._frames.popleft()

    def _parse_data(self, name: str, data: bytes) -> JsonObject:
        try:
            parsed = orjson.loads(self._error_mapper.secrets.mask_json(data))
        except orjson.JSONDecodeError as exc:
            raise self._build_unreadable_error(name) from exc
        if not is_json_object(parsed):
            raise self._build_unreadable_error(name)
        if name == "error":
            # The event carries the error object itself; some services wrap it as they do in a body.
            inner = parsed.get("error")
            raise self._error_mapper.map_error_event(inner if is_json_object(inner) else parsed, self._response)
        return parsed

    def _build_unreadable_error(self, name: str) -> UpstreamError:
        return self._error_mapper.build_failure(
            f"sent an event {name!r} that is not a JSON object", request_id=get_request_id(self._response.headers)
        )
