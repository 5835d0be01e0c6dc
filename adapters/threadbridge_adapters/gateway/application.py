"""The gateway as an ASGI application: a handful of routes, none of them per operation."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Final

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from threadbridge.ports import Backend, HandlesPassthrough
from threadbridge.settings import EndpointSettings, Settings
from threadbridge.wire import find_api_path
from threadbridge_adapters.gateway.access_log import AccessLog
from threadbridge_adapters.gateway.api_key_auth import KeyCheck
from threadbridge_adapters.gateway.assistants_endpoint import AssistantsDoor, path_of
from threadbridge_adapters.gateway.cors import OriginCheck, readable_for_pages
from threadbridge_adapters.gateway.error_responses import broken, unknown_path
from threadbridge_adapters.gateway.local_passthrough import PassageDoor
from threadbridge_adapters.gateway.upstream_proxy import Passthrough

#: Where paths begin: as OpenAI's clients write them, as Azure's do (C19), and as Azure's newest do.
PREFIXES: Final = ("/v1", "/openai/v1", "/openai")
_BELOW: Final = tuple(f"{prefix}/" for prefix in PREFIXES)


def app(backend: Backend, settings: Settings, *, passthrough: ASGIApp | None = None) -> ASGIApp:
    """The gateway in front of a backend, which stays the caller's to close.

    Assistants paths are answered by the backend. Every other path below the prefixes is put to the backend if it
    passes on (`ports.PassesOn`), and else goes to `passthrough`, by default the service behind the backend; it sees
    paths as OpenAI's clients write them (`/v1/…`).
    """
    behind = _service_behind(settings)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            await behind.aclose()

    service = passthrough or behind
    through = _Through(PassageDoor(backend, service) if isinstance(backend, HandlesPassthrough) else service)
    rest = Starlette(
        routes=[Route("/healthz", _healthy), *(Route(f"{prefix}/{{rest:path}}", through) for prefix in PREFIXES)],
        exception_handlers={404: unknown_path, 405: unknown_path, Exception: broken},
        lifespan=lifespan,
    )
    rest.router.redirect_slashes = False  # a redirected POST loses its body in most clients
    door = AssistantsDoor(
        backend,
        max_body_bytes=settings.gateway.max_body_bytes,
        keep_alive_seconds=settings.gateway.keep_alive_seconds,
    )
    sorted_by_path: ASGIApp = _ByPath(door, rest)
    key, origins = settings.gateway.api_key, settings.gateway.allowed_origins
    guarded: ASGIApp = (
        OriginCheck(sorted_by_path, origins=origins)
        if key is None
        else KeyCheck(sorted_by_path, key=key.get_secret_value())
    )
    return AccessLog(readable_for_pages(guarded, origins))


class _ByPath:
    """The Assistants API goes straight to its door: a router's layers would cost a third of a short request again."""

    def __init__(self, door: AssistantsDoor, rest: ASGIApp) -> None:
        self._door = door
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = _assistants_path(scope)
        if path is None:
            await self._rest(scope, receive, send)
        else:
            with _given_up():
                await self._door.answer(path, scope, receive, send)


def _assistants_path(scope: Scope) -> str | None:
    if scope["type"] != "http":
        return None
    path = path_of(scope)
    return find_api_path(path) if path.startswith(_BELOW) else None


class _Through:
    """Everything else below the prefixes, in the form that OpenAI's clients write."""

    def __init__(self, passthrough: ASGIApp) -> None:
        self._passthrough = passthrough

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with _given_up():
            await self._passthrough(_as_openai_writes_it(scope), receive, send)


def _given_up() -> suppress:
    """The server ends and gave this request up: its connection is closed unfinished, which tells the client. Raised
    further, the cancellation would be nothing but a traceback in the log.
    """
    return suppress(asyncio.CancelledError)


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


def _address(service: EndpointSettings) -> str:
    if service.azure:
        endpoint = service.base_url or os.environ.get("AZURE_OPENAI_ENDPOINT", "")
        return f"{endpoint.rstrip('/')}/openai"
    return service.base_url or _sdk_variable(service, "BASE_URL") or "https://api.openai.com/v1"


def _sdk_variable(service: EndpointSettings, name: str) -> str | None:
    """What is not set is left to the openai SDK's own environment, here as for the backend (`ServiceSettings`)."""
    return os.environ.get(f"AZURE_OPENAI_{name}" if service.azure else f"OPENAI_{name}") or None
