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
from threadbridge.wire.error_responses import error_headers, reported, to_wire
from threadbridge.wire.operations import HANDLERS
from threadbridge.wire.operations.answers import Answer, Streamed
from threadbridge.wire.request_parser import read
from threadbridge.wire.sse import Frames
from threadbridge.wire.warning_header import warning_headers

_log = logging.getLogger(__name__)

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_API_VERSION = "2020-10-01"


async def answer(backend: Backend, request: WireRequest, *, max_body_bytes: int) -> WireResponse:
    """What the Assistants service would have answered, with this backend in its place. Never raises.

    Whatever goes wrong is an envelope of A3; once a stream has begun, an `error` event (A97). The caller iterates
    over a streamed body and closes it, also when its client has left; the run goes on then (A100).
    """
    began = time.perf_counter()
    try:
        call = read(request, max_body_bytes=max_body_bytes)
        for warning in call.warnings:
            _log.warning("%s %s: %s", call.operation.method, call.operation.path, warning)
        answered = await HANDLERS[call.operation.name](backend, call)
        return _success(answered, call.warnings, began)
    except Exception as error:
        return _failure(error, began)


def refused(error: BridgeError) -> WireResponse:
    """The answer to a request that a door refuses by itself, in the form of every other (A3, A4)."""
    return _failure(error, time.perf_counter())


def _success(answered: Answer, warnings: Sequence[str], began: float) -> WireResponse:
    if isinstance(answered, Streamed):
        headers = {**_headers(_EVENTS, began), "cache-control": "no-cache", **warning_headers(warnings)}
        return WireResponse(200, headers, _frames(answered, headers["x-request-id"]))
    body = orjson.dumps(answered.body, option=orjson.OPT_INDENT_2)  # the service's answers were pretty (A4)
    return WireResponse(200, {**_headers(_JSON, began), **answered.headers, **warning_headers(warnings)}, body)


def _frames(answered: Streamed, request_id: str) -> Frames:
    return Frames(answered.events, request_id=request_id, after=answered.after)


def _failure(error: Exception, began: float) -> WireResponse:
    headers = _headers(_JSON, began)
    known = reported(error, request_id=headers["x-request-id"])
    status, envelope = to_wire(known)
    return WireResponse(status, {**headers, **error_headers(known)}, _written(envelope))


def _written(envelope: Wire) -> bytes:
    try:
        return orjson.dumps(envelope, option=orjson.OPT_INDENT_2)
    except orjson.JSONEncodeError:  # a path with half a character in it, which only an escape can write down
        return json.dumps(envelope, indent=2, default=str).encode()


def _headers(content_type: str, began: float) -> Mapping[str, str]:
    return {
        "content-type": content_type,
        "openai-version": _API_VERSION,
        "openai-processing-ms": str(round((time.perf_counter() - began) * 1000)),
        "x-request-id": f"req_{random.getrandbits(128):032x}",
    }
