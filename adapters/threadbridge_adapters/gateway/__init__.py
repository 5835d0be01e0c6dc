"""The HTTP door: the Assistants v2 wire over HTTP and SSE, everything else passed through."""

from threadbridge_adapters.gateway.application import app
from threadbridge_adapters.gateway.launch import opened_gateway, opened_simulator, running_gateway, running_simulator
from threadbridge_adapters.gateway.server import is_loopback, serve, serving

__all__ = [
    "app",
    "is_loopback",
    "opened_gateway",
    "opened_simulator",
    "running_gateway",
    "running_simulator",
    "serve",
    "serving",
]
