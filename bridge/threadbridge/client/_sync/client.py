# Generated from ../_async by .ci/unasync.py: edit there.
"""The client: `assistants` and `threads` of one backend."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from threadbridge.client._backend_caller import BackendCaller
from threadbridge.client._sync.assistants import Assistants
from threadbridge.client._sync.resource import Resource
from threadbridge.client._sync.threads import Threads
from threadbridge.ports import Backend
from threadbridge.settings import DEFAULT_TENANT


class ThreadBridge(Resource):
    """The Assistants API of a backend, method for method and keyword for keyword like the openai SDK's `client.beta`.

    It takes an open backend, which `close` closes, and the tenant of its requests. `threadbridge.connect` and
    `threadbridge.aconnect` open a backend from settings.
    """

    def __init__(self, backend: Backend | BackendCaller, *, tenant: str = DEFAULT_TENANT) -> None:
        super().__init__(backend if isinstance(backend, BackendCaller) else BackendCaller(backend, tenant=tenant))
        self.assistants = Assistants(self._caller)
        self.threads = Threads(self._caller)

    @property
    def backend(self) -> Backend:
        """The backend that this client calls."""
        return self._caller.backend

    def close(self) -> None:
        """Close the backend; it waits a few seconds (`limits.drain_seconds`) for active runs."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
