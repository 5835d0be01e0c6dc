"""Answers one HTTP request from a backend, without I/O of its own."""

from __future__ import annotations

import asyncio
import json
import logging
import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from functools import partial
from typing import Any

import orjson

from threadbridge.errors import BridgeError
from threadbridge.ports import Backend, Event, RequestContext, WireRequest, WireResponse
from threadbridge.wire.error_responses import build_error_headers, to_bridge_error, to_wire
from threadbridge.wire.event_stream import FrameStream
from threadbridge.wire.request_parser import OperationCall, parse_request
from threadbridge.wire.warning_header import build_warning_headers

_log = logging.getLogger(__name__)

#: Bodies from this size on are parsed on a worker thread, so that streams of other clients go on.
LARGE_BODY_BYTES = 1024 * 1024

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_API_VERSION = "2020-10-01"

#: The method that answers a stream from an event on, and the one that answers a run with a poll hint.
_FOLLOW = "follow_run"
_POLL = "retrieve_run"


def create_request_id() -> str:
    """An id for a request that has none."""
    return f"req_{random.getrandbits(128):032x}"


async def dispatch_request(
    backend: Backend, context: RequestContext, request: WireRequest, *, max_body_bytes: int
) -> WireResponse:
    """The response of this backend to one request, in the form of the Assistants service. Never raises.

    Errors are envelopes of A3, or an `error` event after a stream has started (A97). The response has the request id of
    `context`, or a new one. The caller iterates over a streamed body and closes it, also when its client disconnects;
    the run continues then (A100).
    """
    started_at = time.perf_counter()
    request_id = context.request_id or create_request_id()
    if context.request_id is None:
        context = replace(context, request_id=request_id)
    try:
        parse = partial(parse_request, request, max_body_bytes=max_body_bytes)
        call = parse() if len(request.body) < LARGE_BODY_BYTES else await asyncio.to_thread(parse)
        for warning in call.warnings:
            _log.warning("%s %s: %s", call.operation.method, call.operation.path, warning)
        result = await call_backend(backend, context, call)
        build = _build_stream if call.is_streamed else _build_success
        return build(result, call, request_id, started_at)
    except Exception as error:
        return _build_failure(error, request_id, started_at)


def build_error_response(error: BridgeError) -> WireResponse:
    """The response to a request that is rejected before dispatch, in the usual form (A3, A4)."""
    return _build_failure(error, create_request_id(), time.perf_counter())


async def call_backend(backend: Backend, context: RequestContext, call: OperationCall) -> Any:
    """The result of the backend's method: an object, a `PolledRun`, or the events of a streamed call."""
    operation = call.operation
    arguments: list[object] = [*call.ids.values()]
    options: dict[str, object] = {}
    if operation.body != "none":
        arguments.append(call.body)
    if operation.is_list:
        arguments.append(call.list_query)
    if "include" in operation.query:
        options["include"] = call.include
    if operation.warns:
        options["warn"] = call.warnings.append
    if call.backend_method == _FOLLOW:
        options["after"] = call.last_event_id
    return await getattr(backend, call.backend_method)(context, *arguments, **options)


def _build_success(result: Any, call: OperationCall, request_id: str, started_at: float) -> WireResponse:
    headers = _build_headers(_JSON, request_id, started_at)
    if call.operation.name == _POLL:
        result, poll_after_ms = result
        if poll_after_ms is not None:
            headers["openai-poll-after-ms"] = str(poll_after_ms)  # (A5, C13)
    body = orjson.dumps(result, option=orjson.OPT_INDENT_2)  # the service indented its responses (A4)
    return WireResponse(200, headers | build_warning_headers(call.warnings), body)


def _build_stream(
    events: AsyncIterator[Event], call: OperationCall, request_id: str, started_at: float
) -> WireResponse:
    headers = {**_build_headers(_EVENTS, request_id, started_at), "cache-control": "no-cache"}
    after = call.last_event_id if call.backend_method == _FOLLOW else None
    frames = FrameStream(events, request_id=request_id, after=after)
    return WireResponse(200, headers | build_warning_headers(call.warnings), frames)


def _build_failure(error: Exception, request_id: str, started_at: float) -> WireResponse:
    bridge_error = to_bridge_error(error, request_id=request_id)
    status, envelope = to_wire(bridge_error)
    try:
        body = orjson.dumps(envelope, option=orjson.OPT_INDENT_2)
    except orjson.JSONEncodeError:  # a lone surrogate in a path, which JSON can only hold as an escape
        body = json.dumps(envelope, indent=2, default=str).encode()
    return WireResponse(status, _build_headers(_JSON, request_id, started_at) | build_error_headers(bridge_error), body)


def _build_headers(content_type: str, request_id: str, started_at: float) -> dict[str, str]:
    return {
        "content-type": content_type,
        "openai-version": _API_VERSION,
        "openai-processing-ms": str(round((time.perf_counter() - started_at) * 1000)),
        "x-request-id": request_id,
    }
