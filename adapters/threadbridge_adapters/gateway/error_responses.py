"""Refusals of the gateway itself, in the legacy service's envelope (A3)."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from threadbridge.errors import BridgeError, NotFound
from threadbridge.wire import build_error_response

_INTERNAL_ERROR_MESSAGE = "The server had an error while processing your request."


async def send_error(error: BridgeError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with an error."""
    await _build_response(error)(scope, receive, send)


async def handle_unknown_path(request: Request, _: HTTPException | Exception) -> Response:
    """Starlette's handler for what no route takes."""
    return _build_response(NotFound(f"Invalid URL ({request.method} {request.url.path})"))


async def handle_unexpected_error(_: Request, error: Exception) -> Response:
    """Starlette's handler for what nobody expected; the traceback goes to the log, not to the client."""
    return _build_response(error if isinstance(error, BridgeError) else BridgeError(_INTERNAL_ERROR_MESSAGE))


def _build_response(error: BridgeError) -> Response:
    wire_response = build_error_response(error)
    return Response(wire_response.body, wire_response.status, wire_response.headers)
