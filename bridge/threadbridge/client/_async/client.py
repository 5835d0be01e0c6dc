"""The client: `assistants` and `threads` of one backend."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from threadbridge.client._async.assistants import AsyncAssistants
from threadbridge.client._async.resource import AsyncResource
from threadbridge.client._async.threads import AsyncThreads
from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.ports import Backend
from threadbridge.settings import DEFAULT_TENANT


class AsyncThreadBridge(AsyncResource):
    """The Assistants API of a backend, method for method and keyword for keyword like the openai SDK's `client.beta`.

    It takes an open backend, which `close` closes, and the tenant of its requests. `threadbridge.connect` and
    `threadbridge.aconnect` open a backend from settings.
    """

    def __init__(self, backend: Backend | AsyncBackendCaller, *, tenant: str = DEFAULT_TENANT) -> None:
        super().__init__(
            backend if isinstance(backend, AsyncBackendCaller) else AsyncBackendCaller(backend, tenant=tenant)
        )
        self.assistants = AsyncAssistants(self._caller)
        self.threads = AsyncThreads(self._caller)

    @property
    def backend(self) -> Backend:
        """The backend that this client calls."""
        return self._caller.backend

    async def close(self) -> None:
        """Close the backend; it waits a few seconds (`limits.drain_seconds`) for active runs."""
        await self._caller.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
