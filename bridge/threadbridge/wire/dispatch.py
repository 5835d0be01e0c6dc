"""One request in, one response out: everything a door needs, and nothing about sockets."""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Mapping, Sequence

import orjson

from threadbridge.errors import BridgeError
from threadbridge.ports import Backend, Wire, WireRequest, WireResponse
from threadbridge.wire.error_responses import build_error_headers, to_bridge_error, to_wire
from threadbridge.wire.event_stream import FrameStream
from threadbridge.wire.operations import HANDLERS
from threadbridge.wire.operations.answers import OperationResult, StreamResult
from threadbridge.wire.request_parser import parse_request
from threadbridge.wire.warning_header import build_warning_headers

_log = logging.getLogger(__name__)

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_API_VERSION = "2020-10-01"


async def dispatch_request(backend: Backend, request: WireRequest, *, max_body_bytes: int) -> WireResponse:
    """What the Assistants service would have answered, with this backend in its place. Never raises.

    Whatever goes wrong is an envelope of A3; once a stream has begun, an `error` event (A97). The caller iterates
    over a streamed body and closes it, also when its client has left; the run goes on then (A100).
    """
    started_at = time.perf_counter()
    try:
        call = parse_request(request, max_body_bytes=max_body_bytes)
        for warning in call.warnings:
            _log.warning("%s %s: %s", call.operation.method, call.operation.path, warning)
        result = await HANDLERS[call.operation.name](backend, call)
        return _build_success(result, call.warnings, started_at)
    except Exception as error:
        return _build_failure(error, started_at)


def build_error_response(error: BridgeError) -> WireResponse:
    """The answer to a request that a door refuses by itself, in the form of every other (A3, A4)."""
    return _build_failure(error, time.perf_counter())


def _build_success(result: OperationResult, warnings: Sequence[str], started_at: float) -> WireResponse:
    if isinstance(result, StreamResult):
        headers = {
            **_build_headers(_EVENTS, started_at),
            "cache-control": "no-cache",
            **build_warning_headers(warnings),
        }
        return WireResponse(200, headers, _build_frames(result, headers["x-request-id"]))
    body = orjson.dumps(result.body, option=orjson.OPT_INDENT_2)  # the service's answers were pretty (A4)
    return WireResponse(
        200, {**_build_headers(_JSON, started_at), **result.headers, **build_warning_headers(warnings)}, body
    )


def _build_frames(result: StreamResult, request_id: str) -> FrameStream:
    return FrameStream(result.events, request_id=request_id, after=result.after)


def _build_failure(error: Exception, started_at: float) -> WireResponse:
    headers = _build_headers(_JSON, started_at)
    bridge_error = to_bridge_error(error, request_id=headers["x-request-id"])
    status, envelope = to_wire(bridge_error)
    return WireResponse(status, {**headers, **build_error_headers(bridge_error)}, _encode_envelope(envelope))


def _encode_envelope(envelope: Wire) -> bytes:
    try:
        return orjson.dumps(envelope, option=orjson.OPT_INDENT_2)
    except orjson.JSONEncodeError:  # a path with half a character in it, which only an escape can write down
        return json.dumps(envelope, indent=2, default=str).encode()


def _build_headers(content_type: str, started_at: float) -> Mapping[str, str]:
    return {
        "content-type": content_type,
        "openai-version": _API_VERSION,
        "openai-processing-ms": str(round((time.perf_counter() - started_at) * 1000)),
        "x-request-id": f"req_{random.getrandbits(128):032x}",
    }
