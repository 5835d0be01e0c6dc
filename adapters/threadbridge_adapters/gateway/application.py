"""The gateway as an ASGI application: a handful of routes, none of them per operation."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.ports import Backend
from threadbridge.settings import ServiceSettings, Settings
from threadbridge.wire import serves
from threadbridge_adapters.gateway.access_log import AccessLog
from threadbridge_adapters.gateway.assistants_door import AssistantsDoor
from threadbridge_adapters.gateway.keys import KeyCheck
from threadbridge_adapters.gateway.passthrough import Passthrough
from threadbridge_adapters.gateway.replies import broken, unknown_path

#: Where paths begin: as OpenAI's clients write them, as Azure's do (C19), and as Azure's newest do.
PREFIXES: Final = ("/v1", "/openai/v1", "/openai")


def app(backend: Backend, settings: Settings, *, passthrough: ASGIApp | None = None) -> Starlette:
    """The gateway in front of a backend, which stays the caller's to close.

    Assistants paths are answered by the backend. Every other path below the prefixes goes to `passthrough`, by
    default the service behind the backend; it sees paths as OpenAI's clients write them (`/v1/…`).
    """
    behind = _service_behind(settings)
    door = AssistantsDoor(backend, max_body_bytes=settings.gateway.max_body_bytes)
    api = _Api(door, passthrough or behind)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await behind.aclose()

    key = settings.gateway.api_key
    application = Starlette(
        routes=[
            Route("/healthz", _healthy),
            *(Route(f"{prefix}/{{rest:path}}", api) for prefix in PREFIXES),
        ],
        middleware=[
            Middleware(AccessLog),
            *([Middleware(KeyCheck, key=key.get_secret_value())] if key is not None else []),
        ],
        exception_handlers={404: unknown_path, 405: unknown_path, Exception: broken},
        lifespan=lifespan,
    )
    application.router.redirect_slashes = False  # a redirected POST loses its body in most clients
    return application


class _Api:
    """Sorts requests by path: the Assistants API here, the rest through."""

    def __init__(self, door: AssistantsDoor, passthrough: ASGIApp) -> None:
        self._door = door
        self._passthrough = passthrough

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if serves(scope["path"]):
                await self._door(scope, receive, send)
            else:
                await self._passthrough(_as_openai_writes_it(scope), receive, send)
        except asyncio.CancelledError:
            # The server ends and gave this request up. Its connection is closed unfinished, which tells the client;
            # raised further, this would be nothing but a traceback in the log.
            return


def _as_openai_writes_it(scope: Scope) -> Scope:
    path: str = scope["path"]
    prefix = next(prefix for prefix in PREFIXES if path.startswith(f"{prefix}/"))
    raw_path: bytes = scope.get("raw_path") or path.encode()
    return {
        **scope,
        "path": "/v1" + path.removeprefix(prefix),
        "raw_path": b"/v1" + raw_path.partition(b"?")[0].removeprefix(prefix.encode()),
    }


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok"})


def _service_behind(settings: Settings) -> Passthrough:
    service = settings.assistants if settings.backend == "assistants" else settings.upstream
    return Passthrough(
        service,
        base_url=_address(service),
        key=service.api_key.get_secret_value() if service.api_key else _sdk_variable(service, "API_KEY"),
        drops_credentials=settings.gateway.api_key is not None,
    )


def _address(service: ServiceSettings) -> str:
    if service.azure:
        endpoint = service.base_url or os.environ.get("AZURE_OPENAI_ENDPOINT", "")
        return f"{endpoint.rstrip('/')}/openai"
    return service.base_url or _sdk_variable(service, "BASE_URL") or "https://api.openai.com/v1"


def _sdk_variable(service: ServiceSettings, name: str) -> str | None:
    """What is not set is left to the openai SDK's own environment, here as for the backend (`ServiceSettings`)."""
    return os.environ.get(f"AZURE_OPENAI_{name}" if service.azure else f"OPENAI_{name}") or None
