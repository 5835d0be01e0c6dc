"""Parse what a Responses service sends: whole responses and the events of a stream, in every server's shapes (S4-S6).

Without I/O. The usual case costs one call of the JSON parser an event; everything else is repaired on a second path:
half surrogate pairs, events without a type, errors in the envelopes of other APIs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast

import orjson

from threadbridge.api_types import JsonObject, ResponseEvent, ResponseObject, is_json_list, is_json_object
from threadbridge.sse import SSEDecoder
from threadbridge_adapters.openai_http.error_mapping import ErrorMapper, parse_error_envelope

#: Ends the streams of some servers, as it ended those of the older APIs.
_DONE = b"[DONE]"
_STATUSES = ("completed", "failed", "incomplete", "cancelled", "queued", "in_progress")
_UNNAMED_EVENT = "message"
_HIGH_HALF = re.compile("[\ud800-\udbff]\\Z")
_REPLACEMENT = "\ufffd"
#: What two deltas of one text have in common.
_DELTA_TARGET = ("type", "item_id", "output_index", "content_index", "summary_index")


def replace_lone_halves(value: Any) -> Any:
    """The JSON value with halves of surrogate pairs joined where two meet, and U+FFFD for each other one."""
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if is_json_object(value):
        return {replace_lone_halves(name): replace_lone_halves(each) for name, each in value.items()}
    if is_json_list(value):
        return [replace_lone_halves(each) for each in value]
    return value


def parse_object(data: bytes, error_mapper: ErrorMapper) -> JsonObject:
    """The object in these bytes, without half surrogate pairs. Raises UpstreamError where there is none."""
    try:
        parsed = orjson.loads(data := error_mapper.secrets.mask_json(data))
    except orjson.JSONDecodeError:
        parsed = replace_lone_halves(_parse_with_halves(data))
    if not is_json_object(parsed):
        raise error_mapper.build_failure("sent something that is not a JSON object; check `upstream.base_url`")
    return parsed


def parse_response(data: bytes, error_mapper: ErrorMapper) -> ResponseObject:
    """The response object in these bytes.

    Raises UpstreamError for anything else: an error that was sent with status 200, or what another API answers, as
    behind a wrong base URL.
    """
    parsed = parse_object(data, error_mapper)
    # Some servers leave out `object` (S5).
    has_response_status = "id" in parsed and parsed.get("status") in _STATUSES
    if parsed.get("object") == "response" or is_json_list(parsed.get("output")) or has_response_status:
        # Services deviate from the schema (S4 to S6), and the readers of a response check what they need.
        return cast("ResponseObject", parsed)
    error = parse_error_envelope(error_mapper.secrets.mask_json(data))
    if error is not None and "error" in parsed:
        raise error_mapper.build_error_in_answer(error)
    raise error_mapper.build_failure(f"sent {_describe(parsed)}; check `upstream.base_url`")


class EventStreamParser:
    """Parses the bytes of one streamed response, in chunks of any size, into events with a `type`."""

    def __init__(self, error_mapper: ErrorMapper) -> None:
        self._error_mapper = error_mapper
        self._mask_secrets = error_mapper.secrets.mask_json
        self._frames = SSEDecoder()
        #: A delta that ended in the first half of a surrogate pair, and that half.
        self._split_delta: tuple[JsonObject, str] | None = None

    def receive_data(self, chunk: bytes) -> Iterator[ResponseEvent]:
        """The events that this chunk completes, parsed one by one. Raises UpstreamError for what is no event of a
        response.
        """
        mask_secrets = self._mask_secrets
        for name, data, _ in self._frames.receive_data(chunk):
            has_halves = False
            data = mask_secrets(data)
            try:
                parsed: Any = orjson.loads(data)
            except orjson.JSONDecodeError:
                if data == _DONE:
                    continue
                parsed = _parse_with_halves(data)
                has_halves = True
            event: Any = parsed
            if type(parsed) is not dict or "type" not in parsed:
                event = self._add_type(name, event)
                if event is None:
                    continue
            if has_halves or self._split_delta is not None:
                yield from cast("Iterator[ResponseEvent]", self._repair_halves(event))
            else:
                yield event

    def _repair_halves(self, event: JsonObject) -> Iterator[JsonObject]:
        """The event without half surrogate pairs. Servers that cut text by UTF-16 units split one over two deltas."""
        split_delta, self._split_delta = self._split_delta, None
        delta = event.get("delta")
        if split_delta is not None:
            earlier, half = split_delta
            if isinstance(delta, str) and all(event.get(name) == earlier.get(name) for name in _DELTA_TARGET):
                delta = half + delta
            else:
                yield {**earlier, "delta": _REPLACEMENT}
        if isinstance(delta, str):
            if _HIGH_HALF.search(delta):
                self._split_delta = (event, delta[-1])
                delta = delta[:-1]
            event = {**event, "delta": delta}
        if delta != "":
            yield replace_lone_halves(event)

    def _add_type(self, name: str, event: object) -> JsonObject | None:
        """The event with the type that its shape or its frame says; None for an empty one."""
        if not is_json_object(event):
            raise self._error_mapper.build_failure(
                "sent something that is not a JSON object; check `upstream.base_url`"
            )
        error: object = event.get("error")
        if error:
            return {**event, "type": "error", "error": error if is_json_object(error) else {"message": str(error)}}
        if name != _UNNAMED_EVENT:
            return {**event, "type": name}
        if not event:
            return None
        raise self._error_mapper.build_failure(f"sent {_describe(event)}; check `upstream.base_url`")


def _parse_with_halves(data: bytes) -> object:
    """The JSON value, which orjson rejects for a half surrogate pair; None for what is not JSON."""
    try:
        parsed: object = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return parsed


def _describe(parsed: JsonObject) -> str:
    """What an object is that is no response."""
    kind = parsed.get("object")
    if isinstance(kind, str) and kind.isprintable():
        return f"a {kind[:40]!r}, not a response"
    names = ", ".join(sorted(name for name in parsed if name.isidentifier())[:5])
    return f"an object with {names}, not a response" if names else "an empty object, not a response"
