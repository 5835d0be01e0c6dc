"""Clients of the neutral interface, from settings."""

from __future__ import annotations

from collections.abc import Generator
from types import TracebackType
from typing import Any

from threadbridge.client._async.client import AsyncThreadBridge
from threadbridge.client._backend_caller import BackendCaller
from threadbridge.client._sync.client import ThreadBridge
from threadbridge.runtime.blocking_portal import get_portal
from threadbridge.runtime.plugins import open_backend
from threadbridge.runtime.settings_loader import load_settings
from threadbridge.settings import Settings


def connect(backend: str | None = None, **settings: Any) -> ThreadBridge:
    """A client of the configured backend. Close it, or use it in a `with`.

    `backend` and `settings` take precedence over environment, file and defaults (see `threadbridge.settings`). The
    client can be used from many worker threads, inside a running event loop, and after a fork, when it opens its
    backend again. Raises ConfigurationError for wrong settings, StoreError for a store that cannot be opened.
    """
    loaded = load_settings(backend=backend, **settings)
    opened_backend = get_portal().run(open_backend(loaded))
    return ThreadBridge(BackendCaller(opened_backend, tenant=loaded.tenant, reopen=lambda: open_backend(loaded)))


def aconnect(backend: str | None = None, **settings: Any) -> ClientContextManager:
    """The asynchronous client of the configured backend: `await` it, or use it in an `async with`."""
    return ClientContextManager(load_settings(backend=backend, **settings))


class ClientContextManager:
    """A client that opens its backend when it is awaited or entered, and closes it when it is left."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client: AsyncThreadBridge | None = None

    def __await__(self) -> Generator[Any, None, AsyncThreadBridge]:
        return self._open().__await__()

    async def __aenter__(self) -> AsyncThreadBridge:
        self._client = await self._open()
        return self._client

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._client is not None:
            await self._client.close()

    async def _open(self) -> AsyncThreadBridge:
        return AsyncThreadBridge(await open_backend(self._settings), tenant=self._settings.tenant)
