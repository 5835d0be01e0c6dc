"""Opens the gateway and the simulator, as applications and on loopback ports for tests, demos and benchmarks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from threadbridge.ports import Backend, HandlesPassthrough, WarmsUp
from threadbridge.runtime.plugins import open_backend
from threadbridge.settings import Settings
from threadbridge_adapters.gateway.application import create_app
from threadbridge_adapters.gateway.cors import OriginMiddleware
from threadbridge_adapters.gateway.host_check import HostMiddleware
from threadbridge_adapters.gateway.server import serve_in_thread

if TYPE_CHECKING:
    from threadbridge_adapters.simulator import ServerQuirk


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


@contextmanager
def run_gateway_in_thread(
    settings: Settings, *, open_backend: Callable[[Settings], Awaitable[Backend]] = open_backend
) -> Generator[str]:
    """The base URL of a gateway on a free loopback port; it runs on its own thread until the context ends."""
    with serve_in_thread(open_gateway(settings, open_backend=open_backend)) as url:
        yield url


@contextmanager
def run_simulator_in_thread(quirks: Collection[ServerQuirk] = ()) -> Generator[str]:
    """The base URL of a simulator on a free loopback port; it runs on its own thread until the context ends."""
    with serve_in_thread(open_simulator(quirks)) as url:
        yield url


def _create_simulator_app(quirks: Collection[ServerQuirk] = ()) -> ASGIApp:
    from threadbridge_adapters import simulator

    return simulator.app(simulator.Simulator(quirks=quirks))
