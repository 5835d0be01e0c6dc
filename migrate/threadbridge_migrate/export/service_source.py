"""A service as the source of an export: its objects as it sends them, read over one HTTP client."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast
from urllib.parse import quote

import orjson

from threadbridge.api_types import (
    AssistantObject,
    JsonObject,
    ListObject,
    MessageObject,
    RunObject,
    RunStepObject,
    ThreadObject,
    is_json_object,
)
from threadbridge.api_types.objects import Identified
from threadbridge.errors import NotFound
from threadbridge.ports import BackendCapabilities, ListQuery, RequestContext
from threadbridge_adapters.assistants.direct_reader import DirectReader


class ServiceSource:
    """The reading operations of a backend, and those of files and vector stores, which no backend has."""

    def __init__(self, reader: DirectReader, *, lists_threads: bool) -> None:
        self.reader = reader
        self.capabilities = BackendCapabilities(lists_threads=lists_threads)

    async def list_threads(self, _: RequestContext, query: ListQuery) -> ListObject[ThreadObject]:
        return await self._list("/threads", query)

    async def retrieve_thread(self, _: RequestContext, thread_id: str) -> ThreadObject:
        return cast("ThreadObject", await self._get(_build_path("threads", thread_id)))

    async def retrieve_assistant(self, _: RequestContext, assistant_id: str) -> AssistantObject:
        return cast("AssistantObject", await self._get(_build_path("assistants", assistant_id)))

    async def list_messages(self, _: RequestContext, thread_id: str, query: ListQuery) -> ListObject[MessageObject]:
        return await self._list(_build_path("threads", thread_id, "messages"), query)

    async def list_runs(self, _: RequestContext, thread_id: str, query: ListQuery) -> ListObject[RunObject]:
        return await self._list(_build_path("threads", thread_id, "runs"), query)

    async def list_steps(
        self, _: RequestContext, thread_id: str, run_id: str, query: ListQuery, *, include: Sequence[str] = ()
    ) -> ListObject[RunStepObject]:
        path = _build_path("threads", thread_id, "runs", run_id, "steps")
        return await self._list(path, query, [("include[]", each) for each in include])

    async def retrieve_file(self, file_id: str) -> JsonObject:
        """The file object."""
        return await self._get(_build_path("files", file_id))

    async def download_file(self, file_id: str, write: Callable[[bytes], object]) -> Mapping[str, str]:
        """Pass the bytes of a file to `write`; returns the headers of the response."""
        return await self.reader.download(_build_path("files", file_id, "content"), write)

    async def retrieve_vector_store(self, vector_store_id: str) -> JsonObject:
        """The vector store object."""
        return await self._get(_build_path("vector_stores", vector_store_id))

    async def list_vector_store_files(self, vector_store_id: str, query: ListQuery) -> ListObject[Identified]:
        """A page of the files of a vector store."""
        return await self._list(_build_path("vector_stores", vector_store_id, "files"), query)

    async def aclose(self) -> None:
        """Close all connections."""
        await self.reader.aclose()

    async def _get(self, path: str, query: Sequence[tuple[str, str]] = ()) -> JsonObject:
        response = await self.reader.get(path, query)
        try:
            parsed: object = orjson.loads(response.content)
        except orjson.JSONDecodeError:
            parsed = None
        if not is_json_object(parsed):
            raise self.reader.build_unusable(
                "answered 200 with something other than a JSON object; check `assistants.base_url`", response
            )
        return parsed

    async def _list(self, path: str, query: ListQuery, further: Sequence[tuple[str, str]] = ()) -> ListObject[Any]:
        parameters = [("limit", str(query.limit)), ("order", query.order or "asc"), *further]
        if query.after is not None:
            parameters.append(("after", query.after))
        return cast("ListObject[Any]", await self._get(path, parameters))


def _build_path(*segments: str) -> str:
    """The path of these words and ids; each is one segment. Raises NotFound for an id that can be none."""
    for segment in segments:
        if not segment.strip("."):
            raise NotFound(f"No object found with id '{segment}'.")
    return "".join(f"/{quote(segment, safe='', errors='replace')}" for segment in segments)
