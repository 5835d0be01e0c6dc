"""Error responses of the gateway itself, in the legacy service's envelope (A3)."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from threadbridge.errors import BridgeError, NotFound
from threadbridge.wire import build_error_response

_INTERNAL_ERROR_MESSAGE = "The server had an error while processing your request."


async def send_error(error: BridgeError, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an error response."""
    await _build_response(error)(scope, receive, send)


async def handle_unknown_path(request: Request, _: HTTPException | Exception) -> Response:
    """Starlette's handler for requests without a route."""
    return _build_response(NotFound(f"Invalid URL ({request.method} {request.url.path})"))


async def handle_unexpected_error(_: Request, error: Exception) -> Response:
    """Starlette's handler for unexpected exceptions; the traceback is logged, not sent to the client."""
    return _build_response(error if isinstance(error, BridgeError) else BridgeError(_INTERNAL_ERROR_MESSAGE))


def _build_response(error: BridgeError) -> Response:
    wire_response = build_error_response(error)
    return Response(wire_response.body, wire_response.status, wire_response.headers)
