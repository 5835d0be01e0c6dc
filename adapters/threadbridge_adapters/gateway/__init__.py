"""The HTTP gateway: the Assistants API v2 over HTTP and SSE, with pass-through of all other requests."""

from threadbridge_adapters.gateway.access_checks import ANY_HOST
from threadbridge_adapters.gateway.application import (
    create_app,
    get_connection_limits,
    open_gateway,
    open_simulator,
    run_gateway_in_thread,
    run_simulator_in_thread,
)
from threadbridge_adapters.gateway.server import is_loopback, serve, serve_in_thread

__all__ = [
    "ANY_HOST",
    "create_app",
    "get_connection_limits",
    "is_loopback",
    "open_gateway",
    "open_simulator",
    "run_gateway_in_thread",
    "run_simulator_in_thread",
    "serve",
    "serve_in_thread",
]
