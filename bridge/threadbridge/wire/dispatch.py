"""Answers one HTTP request from a backend, without I/O of its own."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable
from dataclasses import replace
from functools import partial
from typing import Any

from threadbridge.logs import escape_controls
from threadbridge.ports import Backend, RequestContext, WireRequest, WireResponse
from threadbridge.wire.event_stream import FrameStream
from threadbridge.wire.request_parser import OperationCall, parse_request
from threadbridge.wire.response_builder import (
    build_error_response,
    build_headers,
    build_json_response,
    build_warning_headers,
    create_request_id,
)

_log = logging.getLogger(__name__)

#: Bodies from this size on are parsed on a worker thread, so that streams of other clients go on.
LARGE_BODY_BYTES = 1024 * 1024

_EVENTS = "text/event-stream; charset=utf-8"
#: nginx and proxies like it would otherwise collect a stream and send it at its end.
_STREAM_HEADERS = {"cache-control": "no-cache", "x-accel-buffering": "no"}

#: The method that answers a stream from an event on, and the one that answers a run with a poll hint.
_FOLLOW = "follow_run"
_POLL = "retrieve_run"


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
        if call.identity is not None:
            context = replace(context, identity=call.identity)
        for warning in call.warnings:
            _log.warning("%s %s: %s", call.operation.method, call.operation.path, escape_controls(warning))
        result = await call_backend(backend, context, call)
        if call.is_streamed:
            after = call.last_event_id if call.backend_method == _FOLLOW else None
            frames = FrameStream(result, request_id=request_id, after=after)
            headers = build_headers(_EVENTS, request_id, started_at) | build_warning_headers(call.warnings)
            return WireResponse(200, {**headers, **_STREAM_HEADERS}, frames)
        poll_after_ms: int | None = None
        if call.operation.name == _POLL:
            result, poll_after_ms = result
        return build_json_response(result, request_id, started_at, warnings=call.warnings, poll_after_ms=poll_after_ms)
    except Exception as error:
        return build_error_response(error, request_id, started_at)


def call_backend(backend: Backend, context: RequestContext, call: OperationCall) -> Awaitable[Any]:
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
    result: Awaitable[Any] = getattr(backend, call.backend_method)(context, *arguments, **options)
    return result
