# Generated from ../_async by .ci/unasync.py: edit there.
"""The client itself."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from threadbridge.client._backend_caller import BackendCaller
from threadbridge.client._raw_response import WithoutRawResponses
from threadbridge.client._sync.assistants import Assistants
from threadbridge.client._sync.threads import Threads
from threadbridge.ports import Backend
from threadbridge.settings import DEFAULT_TENANT


class ThreadBridge(WithoutRawResponses):
    """The Assistants API of a backend, method for method and keyword for keyword like the openai SDK's `client.beta`.

    Give it an opened backend, which it closes with itself, and the tenant it works for; `threadbridge` has functions
    that open one from settings.
    """

    def __init__(self, backend: Backend | BackendCaller, *, tenant: str = DEFAULT_TENANT) -> None:
        self._caller = backend if isinstance(backend, BackendCaller) else BackendCaller(backend, tenant=tenant)
        self.assistants = Assistants(self._caller)
        self.threads = Threads(self._caller)

    @property
    def backend(self) -> Backend:
        """The port behind it."""
        return self._caller.backend

    def close(self) -> None:
        """Close the backend; running work is given a moment to finish."""
        self._caller.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
