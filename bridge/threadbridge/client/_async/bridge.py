"""The client itself."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from threadbridge.client._async.assistants import AsyncAssistants
from threadbridge.client._async.threads import AsyncThreads
from threadbridge.client._backend_caller import AsyncBackendCaller
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.ports import Backend
from threadbridge.settings import DEFAULT_TENANT


class AsyncThreadBridge(WithoutRawResponses):
    """The Assistants API of a backend, method for method and keyword for keyword like the openai SDK's `client.beta`.

    Give it an opened backend, which it closes with itself, and the tenant it works for; `threadbridge` has functions
    that open one from settings.
    """

    def __init__(self, backend: Backend | AsyncBackendCaller, *, tenant: str = DEFAULT_TENANT) -> None:
        self._caller = (
            backend if isinstance(backend, AsyncBackendCaller) else AsyncBackendCaller(backend, tenant=tenant)
        )
        self.assistants = AsyncAssistants(self._caller)
        self.threads = AsyncThreads(self._caller)

    @property
    def backend(self) -> Backend:
        """The port behind it."""
        return self._caller.backend

    async def close(self) -> None:
        """Close the backend; running work is given a moment to finish."""
        await self._caller.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()
