"""Refusals of the gateway itself, in the legacy service's envelope (A3)."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from threadbridge.errors import BridgeError, NotFound
from threadbridge.wire import build_error_response

_BROKEN = "The server had an error while processing your request."


async def reply_with(error: BridgeError, scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request with an error."""
    await _response(error)(scope, receive, send)


async def unknown_path(request: Request, _: HTTPException | Exception) -> Response:
    """Starlette's handler for what no route takes."""
    return _response(NotFound(f"Invalid URL ({request.method} {request.url.path})"))


async def broken(_: Request, error: Exception) -> Response:
    """Starlette's handler for what nobody expected; the traceback goes to the log, not to the client."""
    return _response(error if isinstance(error, BridgeError) else BridgeError(_BROKEN))


def _response(error: BridgeError) -> Response:
    told = build_error_response(error)
    return Response(told.body, told.status, told.headers)
