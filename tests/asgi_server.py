"""An ASGI application on a free loopback port, in the event loop of the test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import uvicorn


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Do not replace the signal handlers of the test runner."""
        yield


@asynccontextmanager
async def serve_app(app: Any) -> AsyncGenerator[str]:
    """Serve until the block ends; yields the base URL without a path."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = _Server(uvicorn.Config(app, log_level="error", lifespan="on", timeout_graceful_shutdown=2))
    task = asyncio.ensure_future(server.serve(sockets=[listening]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        listening.close()
