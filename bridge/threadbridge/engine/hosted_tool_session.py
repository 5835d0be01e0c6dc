"""What a turn's hosted tools need while it is performed: stores that are indexed, a container, copies of files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from threadbridge.api_types import JsonObject
from threadbridge.engine.context import EngineContext
from threadbridge.engine.generated_files import FileCopier
from threadbridge.errors import UpstreamError
from threadbridge.ports import Clock, Event, Upstream, WarningSink, build_path
from threadbridge.service import generated_files
from threadbridge.service.generated_files import PersistedFile
from threadbridge.service.turns import TurnStart
from threadbridge.translation.hosted_tools.hosted_tool import HostedToolResources
from threadbridge.translation.hosted_tools.registry import get_resource_owner, list_hosted_tools
from threadbridge.translation.stream_translator import TurnTranslator

#: A container's files are listed before the response's last event is translated: not every file is cited (§12).
_LAST_EVENTS = frozenset({"response.completed", "response.incomplete"})

#: Seconds between two looks.
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


class HostedToolSession:
    """The hosted tools of one turn. A turn that has none does nothing here."""

    def __init__(self, ctx: EngineContext, start: TurnStart, translator: TurnTranslator, *, warn: WarningSink) -> None:
        self._ctx = ctx
        self._warn = warn
        self._start = start
        self._translator = translator
        self._resources = start.resources
        tools = list_hosted_tools(start.run["tools"])
        self._runs_code = any(tool.uses_container and tool.is_supported(ctx.rules.profile) for tool in tools)
        self._file_copier = FileCopier(ctx.upstream, ctx.blobs, self._name_blob, ctx.limits)
        self._container_id: str | None = None
        self._turn_mark: str | None = None

    async def prepare_tools(self) -> HostedToolResources:
        """What the request names. Raises UpstreamError, also for a thread's store that has expired (A31)."""
        resources = self._resources
        if resources is None:
            return HostedToolResources()
        searches = get_resource_owner("vector_store_ids").is_supported(self._ctx.rules.profile)
        if searches and self._start.number == 1 and resources.thread_vector_store_ids:
            await wait_for_indexing(
                self._ctx.upstream,
                self._ctx.clock,
                resources.thread_vector_store_ids,
                seconds=self._ctx.limits.index_wait_seconds,
            )
        if self._runs_code and self._container_id is None:
            thread_id = self._start.run["thread_id"]
            self._container_id = await self._ctx.container_provisioner.ensure_container(
                thread_id, resources.container, resources.file_ids, warn=self._warn
            )
        return HostedToolResources(
            resources.vector_store_ids, resources.file_ids, self._container_id, by_tool=resources.by_tool
        )

    async def replace_container(self) -> bool:
        """Replace an expired container. Returns whether there is a new one, so that the request can be sent again."""
        resources = self._resources
        if resources is None or self._container_id is None:
            return False
        thread_id = self._start.run["thread_id"]
        self._container_id = await self._ctx.container_provisioner.replace_container(
            thread_id, resources.file_ids, warn=self._warn
        )
        return self._container_id is not None

    @property
    def runs_code(self) -> bool:
        """Whether code may run, so that events can bring generated files."""
        return self._runs_code

    async def discover_files_before(self, event_type: str) -> Sequence[Event]:
        """Events to publish before an event of this type: generated files that no text cites."""
        container_id = self._translator.container_id
        if event_type not in _LAST_EVENTS or container_id is None:
            return []
        return self._translator.add_container_files(await self._ctx.container_provisioner.list_files(container_id))

    def start_file_copies(self) -> None:
        """Copy the files that the last translated event made known."""
        self._file_copier.start_copies(self._translator.generated_files)

    async def wait_for_file_copies(self) -> None:
        """Wait until every file is copied or its copy was abandoned."""
        await self._file_copier.wait()

    async def _name_blob(self, digest: str) -> str:
        mark = self._turn_mark = self._turn_mark or self._ctx.new_id("turn")
        return await self._ctx.write(
            lambda session, context: generated_files.reserve_blob_name(session, context, digest, suffix=mark)
        )

    def collect_copied_files(self) -> Sequence[PersistedFile]:
        """The copied files."""
        return self._file_copier.collect_copied_files()


async def wait_for_indexing(upstream: Upstream, clock: Clock, store_ids: Iterable[str], *, seconds: float) -> None:
    """Wait until the vector stores have indexed their files, for `seconds` at most (A56).

    Raises UpstreamError for an expired vector store (A31). A service that reports no counts is not waited for (S9).
    """
    deadline = clock.now() + seconds
    for store_id in store_ids:
        pause = _FIRST_PAUSE
        while True:
            try:
                store = await upstream.request("GET", build_path("vector_stores", store_id))
            except UpstreamError:
                break  # the response will say what is wrong with it
            if store.get("status") == "expired":
                raise UpstreamError(
                    f"The vector store {store_id} of this thread has expired. Attach another vector store to the "
                    "thread.",
                    status=400,
                )
            counts: JsonObject = store.get("file_counts") or {}
            if not counts.get("in_progress") or clock.now() >= deadline:
                break
            await clock.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)
