"""What a turn's hosted tools need while it is performed: stores that are indexed, a container, copies of files."""

from __future__ import annotations

from collections.abc import Sequence

from threadbridge.engine.context import Workplace
from threadbridge.engine.file_copier import Copies
from threadbridge.engine.vector_store_indexing import wait_for_stores
from threadbridge.ports import Event
from threadbridge.service import blob_references
from threadbridge.service.generated_files import KeptFile
from threadbridge.service.turns import TurnStart
from threadbridge.translation.stream_translator import TurnTranslator
from threadbridge.translation.tool_mapping import HostedTools

#: A container's files are listed before the response's last event is translated: not every file is cited (§12).
_LAST_EVENTS = frozenset({"response.completed", "response.incomplete"})


class HostedWork:
    """The hosted tools of one turn. A turn that has none does nothing here."""

    def __init__(self, place: Workplace, start: TurnStart, translator: TurnTranslator) -> None:
        self._place = place
        self._start = start
        self._translator = translator
        self._resources = start.resources
        self._runs_code = (
            place.rules.profile.code_interpreter and start.resources is not None and start.resources.runs_code
        )
        self._copies = Copies(place.upstream, place.blobs, self._named, place.limits)
        self._container: str | None = None
        self._mark: str | None = None

    async def tools(self) -> HostedTools:
        """What the request names. Raises UpstreamError, also for a thread's store that has expired (A31)."""
        resources, searches = self._resources, self._place.rules.profile.file_search
        if resources is None:
            return HostedTools()
        if searches and self._start.number == 1 and resources.thread_vector_store_ids:
            await wait_for_stores(
                self._place.upstream,
                self._place.clock,
                resources.thread_vector_store_ids,
                seconds=self._place.limits.index_wait_seconds,
            )
        if self._runs_code and self._container is None:
            thread_id = self._start.run["thread_id"]
            self._container = await self._place.containers.ready(thread_id, resources.container, resources.file_ids)
        return HostedTools(resources.vector_store_ids, resources.file_ids, self._container)

    async def replace_container(self) -> bool:
        """The container has died. Whether there is a new one now, so that it is worth asking again."""
        resources = self._resources
        if resources is None or self._container is None:
            return False
        thread_id = self._start.run["thread_id"]
        self._container = await self._place.containers.replaced(thread_id, resources.file_ids)
        return self._container is not None

    @property
    def watches(self) -> bool:
        """Whether code may run, so that every event is worth a look at the files it made."""
        return self._runs_code

    async def before(self, event_type: str) -> Sequence[Event]:
        """What is to be told before an event of this type: files that were never cited."""
        container_id = self._translator.container_id
        if event_type not in _LAST_EVENTS or container_id is None:
            return []
        return self._translator.discover(await self._place.containers.files(container_id))

    def after(self) -> None:
        """An event was translated: copy the files that have become known."""
        self._copies.begin(self._translator.produced)

    async def finished(self) -> None:
        """Every file is copied, or given up."""
        await self._copies.finished()

    async def _named(self, digest: str) -> str:
        mark = self._mark = self._mark or self._place.new_id("turn")
        return await self._place.write(
            lambda session, context: blob_references.named(session, context, digest, mark=mark)
        )

    def kept(self) -> Sequence[KeptFile]:
        """The files that were copied."""
        return self._copies.kept()
