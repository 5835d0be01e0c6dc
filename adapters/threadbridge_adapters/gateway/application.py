"""The gateway and the simulator as ASGI applications, opened from settings or on loopback ports."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.errors import MethodNotAllowed, NotFound
from threadbridge.logs import get_logger
from threadbridge.ports import Backend, HandlesPassthrough, WarmsUp
from threadbridge.runtime.plugins import open_backend
from threadbridge.schemas.error_messages import shorten
from threadbridge.settings import Settings
from threadbridge.wire import find_api_path
from threadbridge_adapters.gateway.access_checks import ApiKeyMiddleware, HostMiddleware, OriginMiddleware, add_cors
from threadbridge_adapters.gateway.assistants_endpoint import AssistantsEndpoint, get_request_path
from threadbridge_adapters.gateway.error_responses import handle_unexpected_error, handle_unknown_path, send_error
from threadbridge_adapters.gateway.passthrough import LocalPassthrough, UpstreamProxy, is_below_base
from threadbridge_adapters.gateway.readiness import ReadinessEndpoint
from threadbridge_adapters.gateway.server import AccessLog, ConnectionLimits, serve_in_thread
from threadbridge_adapters.openai_http.sdk_client import read_sdk_variable, resolve_base_url

if TYPE_CHECKING:
    from threadbridge_adapters.simulator import ServerQuirk

#: Path prefixes of OpenAI's clients, of Azure's clients (C19), and of Azure's v1 API. Foundry's has a name in it.
PATH_PREFIXES: Final = ("/v1", "/openai/v1", "/openai")
#: The path of a project's endpoint (Foundry); the gateway is one project under any name.
_PROJECT_PREFIX: Final = re.compile(r"/api/projects/[^/]+(?=/)")
#: Characters of a key that nobody guesses.
_SHORTEST_KEY: Final = 16
_log = get_logger("threadbridge.gateway")
_API_PATHS: Final = (*(f"{prefix}/" for prefix in PATH_PREFIXES), "/api/projects/")


def create_app(backend: Backend, settings: Settings, *, passthrough: ASGIApp | None = None) -> ASGIApp:
    """The gateway in front of a backend, which the caller closes.

    The backend answers Assistants paths. Every other path below the prefixes goes to the backend if it is a
    `ports.HandlesPassthrough`, and what it does not answer to `passthrough`, by default a proxy to the backend's
    upstream service. The pass-through receives paths in the form of OpenAI's clients (`/v1/…`).
    """
    endpoint = settings.assistants if settings.backend == "assistants" else settings.upstream
    upstream_proxy = UpstreamProxy(
        endpoint,
        section="assistants" if settings.backend == "assistants" else "upstream",
        base_url=resolve_base_url(endpoint),
        key=endpoint.api_key.get_secret_value() if endpoint.api_key else read_sdk_variable(endpoint, "API_KEY"),
        drops_credentials=settings.gateway.api_key is not None,
    )

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await upstream_proxy.aclose()

    fallback = passthrough or upstream_proxy
    passthrough_route = _PassthroughRoute(
        LocalPassthrough(backend, fallback) if isinstance(backend, HandlesPassthrough) else fallback
    )
    other_routes = Starlette(
        routes=[
            Route("/healthz", _check_health),
            Route("/readyz", ReadinessEndpoint(backend).handle_request),
            *(Route(f"{prefix}/{{rest:path}}", passthrough_route) for prefix in PATH_PREFIXES),
            Route("/api/projects/{project}/{rest:path}", passthrough_route),
        ],
        exception_handlers={404: handle_unknown_path, 405: handle_unknown_path, Exception: handle_unexpected_error},
        lifespan=lifespan,
    )
    other_routes.router.redirect_slashes = False  # most clients drop the body of a redirected POST
    assistants_endpoint = AssistantsEndpoint(
        backend,
        max_body_bytes=settings.gateway.max_body_bytes,
        keep_alive_seconds=settings.gateway.keep_alive_seconds,
    )
    path_router: ASGIApp = _PathRouter(assistants_endpoint, other_routes)
    key, origins = settings.gateway.api_key, settings.gateway.allowed_origins
    guarded_app: ASGIApp = path_router
    if key is None:
        guarded_app = OriginMiddleware(guarded_app, origins=origins, setting="gateway.allowed_origins")
        guarded_app = HostMiddleware(guarded_app, hosts=settings.gateway.allowed_hosts, setting="gateway.allowed_hosts")
    guarded_app = ApiKeyMiddleware(
        guarded_app,
        tenant=settings.tenant,
        key=None if key is None else key.get_secret_value(),
        wrong_keys_per_minute=settings.gateway.wrong_keys_per_minute,
    )
    if key is not None and len(key.get_secret_value()) < _SHORTEST_KEY:
        _log.warning(f"gateway.api_key has fewer than {_SHORTEST_KEY} characters and can be guessed; use a longer one")
    return AccessLog(add_cors(guarded_app, origins))


class _PathRouter:
    """Calls the Assistants endpoint directly, because Starlette's router would add a third to a short request."""

    def __init__(self, assistants_endpoint: AssistantsEndpoint, other_routes: ASGIApp) -> None:
        self._assistants_endpoint = assistants_endpoint
        self._other_routes = other_routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str | None = None
        if scope["type"] == "http":
            request_path = get_request_path(scope)
            path = find_api_path(request_path) if request_path.startswith(_API_PATHS) else None
        if path is None:
            await self._other_routes(scope, receive, send)
        else:
            with _suppress_cancellation():
                await self._assistants_endpoint.handle_request(path, scope, receive, send)


#: Methods that are passed on. The answer to TRACE would contain the service's key; CONNECT would open a tunnel.
_PASSTHROUGH_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class _PassthroughRoute:
    """All other paths below the prefixes, rewritten to the form of OpenAI's clients."""

    def __init__(self, passthrough: ASGIApp) -> None:
        self._passthrough = passthrough

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, method = scope["path"], scope["method"]
        raw_path: bytes = scope.get("raw_path") or path.encode()
        raw_path = raw_path.partition(b"?")[0]
        prefix = next((prefix for prefix in PATH_PREFIXES if path.startswith(f"{prefix}/")), None)
        if prefix is None:
            project = _PROJECT_PREFIX.match(path)
            raw_project = _PROJECT_PREFIX.match(raw_path.decode("latin-1"))
            prefix = project[0] if project else ""
            below = raw_path[raw_project.end() :] if raw_project else raw_path
        else:
            below = raw_path.removeprefix(prefix.encode())
        if method not in _PASSTHROUGH_METHODS:
            message = f"Not allowed to {shorten(method)} on {shorten(path)}."
            await send_error(MethodNotAllowed(message, allowed_methods=_PASSTHROUGH_METHODS), scope, receive, send)
        elif not is_below_base(below):
            await send_error(
                NotFound(f"Invalid URL ({method} {shorten(path)})", code="unknown_url"), scope, receive, send
            )
        else:
            normalized: Scope = {**scope, "path": "/v1" + path.removeprefix(prefix), "raw_path": b"/v1" + below}
            with _suppress_cancellation():
                await self._passthrough(normalized, receive, send)


def _suppress_cancellation() -> suppress:
    """The server cancels a request when it shuts down and closes the connection, which the client notices. A raised
    cancellation would only add a traceback to the log.
    """
    return suppress(asyncio.CancelledError)


async def _check_health(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


@asynccontextmanager
async def open_gateway(
    settings: Settings, *, open_backend: Callable[[Settings], Awaitable[Backend]] = open_backend
) -> AsyncGenerator[ASGIApp]:
    """The gateway's application with its backend open.

    With `simulate` no request leaves the machine: a backend without its own simulator gets one as pass-through.
    """
    backend = await open_backend(settings)
    passthrough = _create_simulator_app() if settings.simulate and not isinstance(backend, HandlesPassthrough) else None
    try:
        if isinstance(backend, WarmsUp):
            await backend.warm_up()
        yield create_app(backend, settings, passthrough=passthrough)
    finally:
        await backend.aclose()


@asynccontextmanager
async def open_simulator(
    quirks: Collection[ServerQuirk] = (), *, allowed_hosts: Collection[str] = ()
) -> AsyncGenerator[ASGIApp]:
    """The simulator's application, with the given quirks of another server.

    It requires no key, so it checks `Host` and `Origin` like a gateway without one. Clients may address it by a
    loopback name or by one of `allowed_hosts`.
    """
    app: ASGIApp = OriginMiddleware(_create_simulator_app(quirks), origins=(), setting=None)
    yield HostMiddleware(app, hosts=allowed_hosts, setting="--allowed-host")


def get_connection_limits(settings: Settings) -> ConnectionLimits:
    """The limits of a server in front of the gateway."""
    gateway = settings.gateway
    return ConnectionLimits(gateway.max_connections, gateway.header_seconds, gateway.body_seconds)


@contextmanager
def run_gateway_in_thread(
    settings: Settings, *, open_backend: Callable[[Settings], Awaitable[Backend]] = open_backend
) -> Generator[str]:
    """The base URL of a gateway on a free loopback port; it runs on its own thread until the context ends."""
    limits = get_connection_limits(settings)
    with serve_in_thread(open_gateway(settings, open_backend=open_backend), limits=limits) as url:
        yield url


@contextmanager
def run_simulator_in_thread(quirks: Collection[ServerQuirk] = ()) -> Generator[str]:
    """The base URL of a simulator on a free loopback port; it runs on its own thread until the context ends."""
    with serve_in_thread(open_simulator(quirks)) as url:
        yield url


def _create_simulator_app(quirks: Collection[ServerQuirk] = ()) -> ASGIApp:
    from threadbridge_adapters import simulator

    return simulator.app(simulator.Simulator(quirks=quirks))
