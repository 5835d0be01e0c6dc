"""The export: threads by the dozen at once, each written when it is complete, none of them fatal to the rest."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from threadbridge.errors import BridgeError, NotFound
from threadbridge.ports import Backend
from threadbridge_migrate._error_hints import advice, concerns_the_whole_source
from threadbridge_migrate._gather import together
from threadbridge_migrate._journal import Outcome
from threadbridge_migrate._rate_limited_source import Requests
from threadbridge_migrate._record_buffer import Draft
from threadbridge_migrate._thread_reader import read_thread
from threadbridge_migrate.archive import Part
from threadbridge_migrate.writer import ArchiveWriter

#: Failures in a row, each of a kind that concerns the whole source, after which an export gives up: at least this
#: many, and as many as there are threads under way.
PATIENCE = 8


class Watch(Protocol):
    """Is told how an export gets on."""

    def done(self, thread_id: str, outcome: Outcome, problem: str | None) -> None:
        """One thread is finished; `problem` says in a sentence why it failed, where it did."""
        ...


@dataclass(slots=True)
class Report:
    """How an export ended. `archive` counts everything in the archive, the rest what this export did."""

    state: str = "exporting"
    exported: int = 0
    #: Threads that were in the archive before.
    skipped: int = 0
    failed: int = 0
    missing_assistants: int = 0
    #: Attempts beyond the first, over all requests.
    repeated_requests: int = 0
    seconds: float = 0.0
    #: The export gave up before the end, because everything failed.
    stopped: bool = False
    #: The last failure that was not of one thread alone, and what to do about it.
    trouble: str | None = None
    #: Failures in the archive by HTTP status.
    failures: dict[str, int] = field(default_factory=dict[str, int])
    archive: dict[str, int] = field(default_factory=dict[str, int])

    def as_json(self) -> dict[str, Any]:
        """The report as one JSON object."""
        return asdict(self)

    @property
    def succeeded(self) -> bool:
        """Whether everything that was asked for is in the archive."""
        return not self.stopped and self.state == "complete"


class Export:
    """One run of an export; make one, `run` it once."""

    def __init__(
        self, backend: Backend, writer: ArchiveWriter, requests: Requests, *, concurrency: int, watch: Watch
    ) -> None:
        self._backend = backend
        self._writer = writer
        self._requests = requests
        self._concurrency = concurrency
        self._watch = watch
        self._report = Report()
        self._finished: asyncio.Queue[Draft | None] = asyncio.Queue(maxsize=concurrency)
        self._asking: dict[str, asyncio.Lock] = {}
        self._asked: set[str] = set()
        self._next = asyncio.Lock()
        self._failures_in_a_row = 0

    async def run(self, ids: AsyncIterator[str]) -> Report:
        """Export the threads that are not in the archive yet, then finish it.

        What fails for one thread is recorded and the rest goes on. Raises what stands in the way of all: BridgeError
        when the source cannot list its threads, OSError when the archive cannot be written.
        """
        started = time.monotonic()
        await together(self._produce(ids), self._record())
        manifest = await asyncio.to_thread(self._writer.finish)
        self._report.state = manifest.state
        self._report.archive = manifest.counts
        failures = Counter(str(error.get("status")) for error in self._writer.progress.failed.values())
        self._report.failures = dict(sorted(failures.items()))
        self._report.repeated_requests = self._requests.repeated
        self._report.seconds = round(time.monotonic() - started, 3)
        return self._report

    async def _produce(self, ids: AsyncIterator[str]) -> None:
        await self._retry_assistants()
        await together(*(self._work(ids) for _ in range(self._concurrency)))
        await self._finished.put(None)

    async def _record(self) -> None:
        """Write what is finished; while the disk works, more gathers, and goes to it in one batch."""
        while batch := await self._batch():
            await asyncio.to_thread(self._writer.commit, batch)
            for each in batch:
                each.close()
                if each.subject == "thread":
                    self._watch.done(each.id, each.outcome, each.problem)

    async def _batch(self) -> list[Draft]:
        """What is finished by now, one draft at least; nothing once everybody has stopped."""
        batch: list[Draft] = []
        while not batch or not self._finished.empty():
            draft = await self._finished.get()
            if draft is None:
                self._finished.put_nowait(None)  # for the next call, where this one still has something
                break
            batch.append(draft)
        return batch

    async def _work(self, ids: AsyncIterator[str]) -> None:
        while (thread_id := await self._next_id(ids)) is not None:
            with ExitStack() as unless_handed_over:
                draft = unless_handed_over.enter_context(Draft("thread", thread_id))
                await self._fill(draft)
                self._count(draft)
                await self._finished.put(draft)
                unless_handed_over.pop_all()

    async def _next_id(self, ids: AsyncIterator[str]) -> str | None:
        """The next thread that is not in the archive; None when there is none or the export gave up."""
        async with self._next:
            async for thread_id in ids:
                if self._report.stopped:
                    return None
                if not self._writer.progress.is_settled("thread", thread_id):
                    return thread_id
                self._report.skipped += 1
                self._watch.done(thread_id, "exported", None)
            return None

    async def _fill(self, draft: Draft) -> None:
        try:
            named = await read_thread(self._backend, self._requests, draft.id, draft)
            await together(*(self._assistant(assistant_id) for assistant_id in sorted(named)))
        except BridgeError as error:
            draft.give_up("failed", error)
            self._judge(error)
        else:
            self._failures_in_a_row = 0

    async def _assistant(self, assistant_id: str) -> None:
        """See to it that the assistant is on its way to the archive, before the thread that names it."""
        async with self._asking.setdefault(assistant_id, asyncio.Lock()):
            if assistant_id in self._asked or self._writer.progress.is_settled("assistant", assistant_id):
                return
            with ExitStack() as unless_handed_over:
                draft = unless_handed_over.enter_context(Draft("assistant", assistant_id))
                await self._fetch_assistant(draft)
                await self._finished.put(draft)
                unless_handed_over.pop_all()
            self._asked.add(assistant_id)

    async def _fetch_assistant(self, draft: Draft) -> None:
        try:
            assistant = await self._requests.ask(lambda: self._backend.retrieve_assistant(draft.id))
            draft.add(Part.ASSISTANTS, [assistant])
        except NotFound as error:
            draft.give_up("missing", error)
            self._report.missing_assistants += 1
        except BridgeError as error:
            draft.give_up("failed", error)
            self._report.trouble = advice(error)

    async def _retry_assistants(self) -> None:
        """Ask again for what an earlier export could not get, though no thread may name it this time."""
        failed = [object_id for subject, object_id in self._writer.progress.failed if subject == "assistant"]
        await together(*(self._assistant(assistant_id) for assistant_id in failed))

    def _count(self, draft: Draft) -> None:
        if draft.outcome == "exported":
            self._report.exported += 1
        else:
            self._report.failed += 1

    def _judge(self, error: BridgeError) -> None:
        """One thread failed: is it the thread, or the source?"""
        if not concerns_the_whole_source(error):
            self._failures_in_a_row = 0
            return
        self._failures_in_a_row += 1
        self._report.trouble = advice(error)
        self._report.stopped = self._failures_in_a_row >= max(PATIENCE, self._concurrency)
