"""Routing of all requests below `/v1`, for every transport."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import unquote

from threadbridge.ports import PassthroughRequest, WireResponse
from threadbridge_adapters.simulator import _errors as errors
from threadbridge_adapters.simulator import _file_routes, _response_routes
from threadbridge_adapters.simulator._route_adapters import RouteCall, RouteHandler, make_error_response
from threadbridge_adapters.simulator._simulator import Simulator

_PATH_PARAMETER: Final = re.compile(r"\{(\w+)(:path)?\}")


def _compile_path(path: str) -> re.Pattern[str]:
    return re.compile(_PATH_PARAMETER.sub(lambda found: f"(?P<{found[1]}>{'.+' if found[2] else '[^/]+'})", path))


_ROUTES: Final[tuple[tuple[str, re.Pattern[str], RouteHandler], ...]] = tuple(
    (method, _compile_path(path), handler) for method, path, handler in (*_response_routes.ROUTES, *_file_routes.ROUTES)
)


async def handle_request(simulator: Simulator, request: PassthroughRequest) -> WireResponse:
    """The simulator's response, also for errors. A streamed body raises where the script breaks the connection."""
    try:
        handler, call = _match_route(simulator, request)
        return await handler(simulator, call)
    except errors.ServiceError as error:
        return make_error_response(simulator, error)


def _match_route(simulator: Simulator, request: PassthroughRequest) -> tuple[RouteHandler, RouteCall]:
    is_missing = simulator.quirks.is_missing_path(request.method, request.path)
    for method, pattern, handler in _ROUTES:
        found = pattern.fullmatch(request.path) if method == request.method else None
        if found is not None and not is_missing:
            return handler, RouteCall(request, {name: unquote(value) for name, value in found.groupdict().items()})
    raise errors.ServiceError(f"Invalid URL ({request.method} /v1{request.path})", status=404)
