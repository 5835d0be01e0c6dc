"""Build the responses of the Assistants API: their common headers, their warnings, and errors as envelopes (A3, A4)."""

from __future__ import annotations

import json
import logging
import random
import re
import time
from collections.abc import Mapping, Sequence
from typing import cast

import orjson

from threadbridge.api_types import ErrorEnvelope, ErrorObject
from threadbridge.errors import BridgeError, MethodNotAllowed, UpstreamError
from threadbridge.ports import WireResponse
from threadbridge.sse import escape_line_separators

_log = logging.getLogger(__name__)

_JSON = "application/json"
_API_VERSION = "2020-10-01"

#: A list of strings in the syntax of RFC 9651: `"One sentence.", "Another one."`.
WARNING_HEADER = "threadbridge-warning"

#: The most characters of the header: some proxies reject a response with more than 4 kB of headers.
MAX_HEADER_CHARACTERS = 2000

#: The most characters of one warning: names from a client can have any length.
_MAX_WARNING_CHARACTERS = 300

_TRUNCATION_NOTICE = '"There are more warnings; the log has all of them."'
_QUOTED_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')
_UNSAFE = re.compile(r"[^\x20-\x7e]")


def create_request_id() -> str:
    """An id for a request that has none."""
    return f"req_{random.getrandbits(128):032x}"


def build_headers(content_type: str, request_id: str, started_at: float) -> dict[str, str]:
    """The headers of every response. `started_at` is the `time.perf_counter()` at which the request arrived."""
    return {
        "content-type": content_type,
        "openai-version": _API_VERSION,
        "openai-processing-ms": str(round((time.perf_counter() - started_at) * 1000)),
        "x-request-id": request_id,
    }


def build_json_response(
    result: object,
    request_id: str,
    started_at: float,
    *,
    warnings: Sequence[str] = (),
    poll_after_ms: int | None = None,
) -> WireResponse:
    """The response with an object of the API, and the milliseconds after which a client should poll again (A5, C13)."""
    headers = build_headers(_JSON, request_id, started_at)
    if warnings:
        headers |= build_warning_headers(warnings)
    if poll_after_ms is not None:
        headers["openai-poll-after-ms"] = str(poll_after_ms)
    body = orjson.dumps(result, option=orjson.OPT_INDENT_2)  # indented as by the service
    return WireResponse(200, headers, escape_line_separators(body))


def build_error_response(
    error: Exception, request_id: str | None = None, started_at: float | None = None
) -> WireResponse:
    """The response to a request that failed; without an id and a start, to one that is rejected before dispatch."""
    request_id = request_id or create_request_id()
    bridge_error = to_bridge_error(error, request_id=request_id)
    headers = build_headers(_JSON, request_id, time.perf_counter() if started_at is None else started_at)
    if bridge_error.request_id is not None:
        headers["x-request-id"] = bridge_error.request_id  # the upstream's
    if isinstance(bridge_error, UpstreamError) and bridge_error.retry_after is not None:
        headers["retry-after"] = f"{bridge_error.retry_after:g}"
    if isinstance(bridge_error, MethodNotAllowed):
        headers["allow"] = ", ".join(bridge_error.allowed_methods)
    status, envelope = to_wire(bridge_error)
    try:
        body = escape_line_separators(orjson.dumps(envelope, option=orjson.OPT_INDENT_2))
    except orjson.JSONEncodeError:  # a lone surrogate in a path, which JSON can only hold as an escape
        body = json.dumps(envelope, indent=2, default=str).encode()
    return WireResponse(status, headers, body)


def to_wire(error: BridgeError) -> tuple[int, ErrorEnvelope]:
    """Status and envelope of an error: exactly `message`, `type`, `param` and `code`, in this order (A3).

    The error object of an upstream keeps the other fields that the upstream sent. Every HTTP status of an error comes
    from here.
    """
    error_object: ErrorObject = {
        "message": error.message,
        "type": error.type,
        "param": error.param,
        "code": error.code,
    }
    if isinstance(error, UpstreamError) and error.body:
        # Our own message stays: the adapter removed secrets from it. The other fields are the upstream's, unchecked.
        error_object = cast("ErrorObject", {**error_object, **error.body, "message": error.message})
    return error.status if 400 <= error.status <= 599 else 502, {"error": error_object}


def to_bridge_error(error: Exception, *, request_id: str) -> BridgeError:
    """The error as a BridgeError. Any other exception is a bug: it is logged in full and answered with a 500."""
    if isinstance(error, BridgeError):
        return error
    _log.error("The bridge failed on request %s", request_id, exc_info=error)
    return BridgeError(
        f"The bridge had an error processing your request. Its log says more under the request id {request_id}."
    )


def build_warning_headers(warnings: Sequence[str]) -> dict[str, str]:
    """The header for warnings about ignored or replaced parts of a request, without duplicates; empty without any.

    Only printable ASCII is kept: other characters could end the header or start another one.
    """
    items: list[str] = []
    left = MAX_HEADER_CHARACTERS - len(_TRUNCATION_NOTICE)
    for warning in dict.fromkeys(warnings):
        short = warning if len(warning) <= _MAX_WARNING_CHARACTERS else f"{warning[:_MAX_WARNING_CHARACTERS]}..."
        escaped = _UNSAFE.sub("?", short).replace("\\", "\\\\").replace('"', '\\"')
        left -= len(escaped) + 4  # the quotes, a comma and a space
        if left < 0:
            items.append(_TRUNCATION_NOTICE)
            break
        items.append(f'"{escaped}"')
    return {WARNING_HEADER: ", ".join(items)} if items else {}


def parse_warning_headers(headers: Mapping[str, str]) -> list[str]:
    """The warnings of a response that came from another ThreadBridge."""
    return [re.sub(r"\\(.)", r"\1", quoted) for quoted in _QUOTED_STRING.findall(headers.get(WARNING_HEADER, ""))]
