"""What an export asks its source: the reading operations of a backend, and those of files if the source has any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from threadbridge.api_types import (
    AssistantObject,
    JsonObject,
    ListObject,
    MessageObject,
    RunObject,
    RunStepObject,
    ThreadObject,
)
from threadbridge.api_types.objects import Identified
from threadbridge.ports import BackendCapabilities, ListQuery, RequestContext


class ThreadSource(Protocol):
    """The source of an export: any backend, or a service that is read directly. It raises the errors of a backend."""

    @property
    def capabilities(self) -> BackendCapabilities: ...

    async def list_threads(self, context: RequestContext, /, query: ListQuery) -> ListObject[ThreadObject]: ...

    async def retrieve_thread(self, context: RequestContext, /, thread_id: str) -> ThreadObject: ...

    async def retrieve_assistant(self, context: RequestContext, /, assistant_id: str) -> AssistantObject: ...

    async def list_messages(
        self, context: RequestContext, /, thread_id: str, query: ListQuery
    ) -> ListObject[MessageObject]: ...

    async def list_runs(
        self, context: RequestContext, /, thread_id: str, query: ListQuery
    ) -> ListObject[RunObject]: ...

    async def list_steps(
        self, context: RequestContext, /, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()
    ) -> ListObject[RunStepObject]: ...

    async def aclose(self) -> None: ...


@runtime_checkable
class FileSource(Protocol):
    """The operations of files and vector stores, which a service has and a backend has not."""

    async def retrieve_file(self, file_id: str) -> JsonObject: ...

    async def download_file(self, file_id: str, write: Callable[[bytes], object]) -> Mapping[str, str]: ...

    async def retrieve_vector_store(self, vector_store_id: str) -> JsonObject: ...

    async def list_vector_store_files(self, vector_store_id: str, query: ListQuery) -> ListObject[Identified]: ...
