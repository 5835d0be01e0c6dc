"""Concurrent export of threads into an archive.

Each thread is written when it is complete, and a failed thread does not stop the others.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Protocol

from threadbridge.api_types import JsonObject
from threadbridge.errors import BridgeError
from threadbridge.ports import RequestContext
from threadbridge.runtime.plugins import open_backend
from threadbridge.settings import Settings
from threadbridge_migrate.archive.journal import Subject, SubjectOutcome
from threadbridge_migrate.archive.part_verification import list_damaged_threads
from threadbridge_migrate.archive.reader import Part
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.archive.writer import ArchiveWriter
from threadbridge_migrate.errors import affects_whole_source, describe_next_step
from threadbridge_migrate.export.file_contents import download_content
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.references import References
from threadbridge_migrate.export.request_rate import RequestRate
from threadbridge_migrate.export.sources import describe_source, iterate_ids, iterate_listed_ids
from threadbridge_migrate.export.thread_changes import find_changed_threads, has_activity_since
from threadbridge_migrate.export.thread_reader import ThreadReader, gather
from threadbridge_migrate.export.thread_source import FileSource, ThreadSource

#: Consecutive failures that affect the whole source after which an export stops: this number, or the number of
#: concurrent threads if that is larger.
MAX_SOURCE_FAILURES = 8

#: What a source answers for an object that it does not have, or does not show.
_MISSING_STATUSES = frozenset({400, 403, 404, 410})


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Limits on the load that an export puts on its source."""

    #: Concurrent requests.
    concurrency: int = 128
    #: Requests per second, or None to adapt to the source (A6: OpenAI allowed 1000 a minute).
    requests_per_second: float | None = None
    #: Whether files and vector stores that threads reference are exported too, if the source has any.
    with_files: bool = True
    #: Threads without a message since then, in seconds, are left out; archived threads are compared with the source.
    since: int | None = None
    #: Attempts per request before its thread is recorded as failed.
    attempts: int = 5


class ProgressListener(Protocol):
    """Receives the outcome of each thread of an export."""

    def record_outcome(self, thread_id: str, outcome: SubjectOutcome, error_message: str | None) -> None:
        """One thread is finished; `error_message` is the reason in one sentence if it failed, else None."""
        ...

    def warn(self, sentence: str) -> None:
        """The archive as a whole has a problem; `sentence` describes it."""
        ...


@dataclass(slots=True)
class ExportReport:
    """The result of an export. `archive` counts all objects in the archive, the other fields this export only."""

    state: str = "exporting"
    exported: int = 0
    #: Threads that were already in the archive.
    skipped: int = 0
    failed: int = 0
    missing_assistants: int = 0
    #: Files and vector stores that threads reference and the source does not have, or does not show.
    missing_files: int = 0
    #: Retries, over all requests.
    repeated_requests: int = 0
    #: A sentence on the damage that the export found in the archive when it started.
    damage: str | None = None
    seconds: float = 0.0
    #: The export stopped early because every thread failed.
    stopped: bool = False
    #: The last failure that affects the whole source, with the next step.
    trouble: str | None = None
    #: Its HTTP status; 0 without one.
    trouble_status: int = 0
    #: Whether the export wrote anything.
    changed_archive: bool = False
    #: Failures in the archive by HTTP status.
    failures: dict[str, int] = field(default_factory=dict[str, int])
    archive: dict[str, int] = field(default_factory=dict[str, int])

    def as_json(self) -> JsonObject:
        """The report as one JSON object; without `damage` if nothing was damaged."""
        internal = (
            ("trouble_status", "changed_archive") if self.damage else ("trouble_status", "changed_archive", "damage")
        )
        return {name: value for name, value in asdict(self).items() if name not in internal}

    @property
    def succeeded(self) -> bool:
        """Whether every requested thread is in the archive."""
        return not self.stopped and self.state == "complete"


class Exporter:
    """One export; call `run` once."""

    def __init__(
        self,
        backend: ThreadSource,
        writer: ArchiveWriter,
        source: RateLimitedSource,
        *,
        concurrency: int,
        listener: ProgressListener,
        files: FileSource | None = None,
    ) -> None:
        self._backend = backend
        self._writer = writer
        self._source = source
        self._concurrency = concurrency
        self._listener = listener
        self._report = ExportReport()
        self._finished_buffers: asyncio.Queue[RecordBuffer | None] = asyncio.Queue(maxsize=concurrency)
        #: Where the files and vector stores are that threads reference; None: they are not exported.
        self._files = files
        #: Threads without a message since then are left out.
        self.since: int | None = None
        self._locks: dict[tuple[Subject, str], asyncio.Lock] = {}
        self._damaged: dict[str, None] = {}
        self._fetched: set[tuple[Subject, str]] = set()
        self._next_id_lock = asyncio.Lock()
        self._consecutive_failures = 0

    async def run(self, ids: AsyncIterator[str]) -> ExportReport:
        """Export the threads that are not in the archive yet, then finish the archive.

        A failure of one thread is recorded and the export continues. Raises BridgeError if the source cannot list its
        threads and OSError if the archive cannot be written.
        """
        started = time.monotonic()
        if (damage := self._writer.damage) is not None:
            self._report.damage = damage.sentence
            self._listener.warn(damage.sentence)
        await gather(self._read_all(self._prepend_damaged_threads(ids)), self._write_finished())
        manifest = await asyncio.to_thread(self._writer.finish)
        self._report.state = manifest.state
        self._report.archive = manifest.counts
        failures = Counter(str(error.get("status")) for error in self._writer.progress.failed.values())
        self._report.failures = dict(sorted(failures.items()))
        self._report.repeated_requests = self._source.retries
        self._report.seconds = round(time.monotonic() - started, 3)
        return self._report

    async def _prepend_damaged_threads(self, ids: AsyncIterator[str]) -> AsyncIterator[str]:
        """The threads that the repair removed from the archive, requested or not, then the other requested threads."""
        damaged = self._damaged = dict.fromkeys(list_damaged_threads(self._writer.progress))
        for thread_id in damaged:
            yield thread_id
        async for thread_id in ids:
            if thread_id not in damaged:
                yield thread_id

    async def _read_all(self, ids: AsyncIterator[str]) -> None:
        # No thread of this export may reference the assistants that failed in an earlier one.
        failed = [each for each in self._writer.progress.failed if each[0] in ("assistant", "vector_store", "file")]
        if self._files is None:
            failed = [each for each in failed if each[0] == "assistant"]
        await gather(*(self._ensure(subject, object_id) for subject, object_id in failed))
        await gather(*(self._read_missing(subject, each) for subject, each in list(self._writer.progress.failed)))
        await gather(*(self._read_threads(ids) for _ in range(self._concurrency)))
        await self._finished_buffers.put(None)

    async def _write_finished(self) -> None:
        """Write finished threads in batches; while one batch is written, the next one accumulates."""
        while batch := await self._next_batch():
            await asyncio.to_thread(self._writer.commit, batch)
            self._report.changed_archive = True
            for each in batch:
                each.close()
                if each.subject == "thread":
                    self._listener.record_outcome(each.id, each.outcome, each.error_message)

    async def _next_batch(self) -> list[RecordBuffer]:
        """All finished buffers, waiting for at least one; empty after the last reader has ended."""
        batch: list[RecordBuffer] = []
        while not batch or not self._finished_buffers.empty():
            buffer = await self._finished_buffers.get()
            if buffer is None:
                self._finished_buffers.put_nowait(None)  # ends the next call if this one returns buffers
                break
            batch.append(buffer)
        return batch

    async def _read_threads(self, ids: AsyncIterator[str]) -> None:
        while (thread_id := await self._next_id(ids)) is not None:
            with ExitStack() as cleanup:
                buffer = cleanup.enter_context(RecordBuffer("thread", thread_id))
                reader = self._open_reader(thread_id, cleanup)
                if not await self._read_thread(buffer, reader):
                    self._report.skipped += 1
                    self._listener.record_outcome(thread_id, "exported", None)
                    continue
                if buffer.outcome == "exported":
                    self._report.exported += 1
                    await self._queue(buffer, *reader.take_separate_buffers())
                else:
                    self._report.failed += 1
                    reader.separate_buffers.clear()
                    reader.take_separate_buffers()
                    await self._queue(buffer)
                cleanup.pop_all()

    async def _read_missing(self, subject: Subject, object_id: str) -> None:
        """Read the runs or steps that an earlier export could not read, unless their whole thread is read again."""
        thread_id, _, run_id = object_id.partition("/")
        if subject not in ("runs", "steps") or not self._writer.progress.is_finished("thread", thread_id):
            return
        with ExitStack() as cleanup:
            reader = self._open_reader(thread_id, cleanup)
            await (reader.read_steps(run_id) if subject == "steps" else reader.read_runs())
            await gather(*(self._ensure("assistant", each) for each in sorted(reader.assistant_ids)))
            await self._queue(*reader.take_separate_buffers())
            cleanup.pop_all()

    def _open_reader(self, thread_id: str, cleanup: ExitStack) -> ThreadReader:
        return ThreadReader(self._backend, self._source, self._writer.progress, thread_id, cleanup)

    async def _queue(self, *buffers: RecordBuffer) -> None:
        """Queue buffers for writing, the thread's before those of its runs and steps."""
        for buffer in buffers:
            await self._finished_buffers.put(buffer)

    async def _next_id(self, ids: AsyncIterator[str]) -> str | None:
        """The next thread that is not in the archive; None at the end or if the export has stopped."""
        async with self._next_id_lock:
            async for thread_id in ids:
                if self._report.stopped:
                    return None
                if not self._writer.progress.is_finished("thread", thread_id):
                    return thread_id
                self._report.skipped += 1
                self._listener.record_outcome(thread_id, "exported", None)
            return None

    async def _read_thread(self, buffer: RecordBuffer, reader: ThreadReader) -> bool:
        """Fill the buffer, or discard it with the error; False if the thread is left out."""
        try:
            if (
                self.since is not None
                and buffer.id not in self._damaged
                and not await has_activity_since(buffer.id, self.since, self._backend, self._source)
            ):
                return False
            await reader.read_thread(buffer)
            await self._ensure_references(reader.references)
            await gather(*(self._ensure("assistant", each) for each in sorted(reader.assistant_ids)))
        except BridgeError as error:
            buffer.discard("failed", error)
            if not affects_whole_source(error):
                self._consecutive_failures = 0
                return True
            # Too many consecutive failures of the whole source stop the export.
            self._consecutive_failures += 1
            self._report.trouble, self._report.trouble_status = describe_next_step(error), error.status
            self._report.stopped = self._consecutive_failures >= max(MAX_SOURCE_FAILURES, self._concurrency)
        else:
            self._consecutive_failures = 0
        return True

    async def _ensure(self, subject: Subject, object_id: str) -> None:
        """Queue an object that others reference for writing, after what it references itself.

        A kill in between must not leave it in the archive without them.
        """
        key: tuple[Subject, str] = (subject, object_id)
        references = References()
        async with self._locks.setdefault(key, asyncio.Lock()):
            if key in self._fetched or self._writer.progress.is_finished(subject, object_id):
                return
            with ExitStack() as cleanup:
                buffer = cleanup.enter_context(RecordBuffer(subject, object_id))
                try:
                    await self._read_referenced_object(buffer, references)
                    await self._ensure_references(references)
                except BridgeError as error:
                    is_missing = error.status in _MISSING_STATUSES and (subject != "assistant" or error.status == 404)
                    buffer.discard("missing" if is_missing else "failed", error)
                    self._report.missing_assistants += is_missing and subject == "assistant"
                    self._report.missing_files += is_missing and subject != "assistant"
                    if not is_missing:
                        self._report.trouble, self._report.trouble_status = describe_next_step(error), error.status
                await self._finished_buffers.put(buffer)
                cleanup.pop_all()
            self._fetched.add(key)
        self._locks.pop(key, None)

    async def _ensure_references(self, references: References) -> None:
        if self._files is not None:
            await gather(
                *(self._ensure("vector_store", each) for each in sorted(references.vector_stores)),
                *(self._ensure("file", each) for each in sorted(references.files)),
            )

    async def _read_referenced_object(self, buffer: RecordBuffer, references: References) -> None:
        """Fill the buffer of an assistant, a vector store with its files, or a file with its content."""
        request, context, object_id, files = self._source.request, self._source.context, buffer.id, self._files
        if buffer.subject == "assistant":
            assistant = await request(lambda: self._backend.retrieve_assistant(context, object_id))
            buffer.add(Part.ASSISTANTS, [assistant])
            references.note([assistant])
        elif buffer.subject == "vector_store" and files is not None:
            buffer.add(Part.VECTOR_STORES, [await request(lambda: files.retrieve_vector_store(object_id))])
            async for page in self._source.iterate_pages(lambda query: files.list_vector_store_files(object_id, query)):
                buffer.add(Part.VECTOR_STORE_FILES, page)
                references.files |= {each["id"] for each in page}
        elif files is not None:
            buffer.add(Part.FILES, [await request(lambda: files.retrieve_file(object_id))])
            buffer.add(Part.CONTENTS, [await download_content(files, self._source, object_id, self._writer.path)])


async def export_threads(
    settings: Settings,
    ids: Sequence[str] | None,
    out: Path,
    *,
    listener: AbstractContextManager[ProgressListener],
    options: ExportOptions | None = None,
) -> ExportReport:
    """Export these threads of the configured backend, or with None all threads that it lists.

    The progress context is entered just before the first request.
    Raises UsageError for an unsuitable directory or source and ConfigurationError for wrong settings, both before
    anything is written; other BridgeErrors if the source or the archive as a whole fails; OSError if writing fails.
    """
    options = options or ExportOptions()
    rate = RequestRate(options.requests_per_second)
    backend = await open_source(settings, rate)
    try:
        source = RateLimitedSource(
            RequestContext(settings.tenant), concurrency=options.concurrency, attempts=options.attempts, rate=rate
        )
        thread_ids = iterate_listed_ids(backend, source) if ids is None else iterate_ids(ids)
        outdated = await find_changed_threads(out, backend, source, ids=ids, with_all=options.since is not None)
        with (
            ArchiveWriter(out, source=describe_source(settings), options=asdict(options), outdated=outdated) as writer,
            listener as active_listener,
        ):
            files = backend if options.with_files and isinstance(backend, FileSource) else None
            export = Exporter(
                backend, writer, source, concurrency=options.concurrency, listener=active_listener, files=files
            )
            export.since = options.since
            return await export.run(thread_ids)
    finally:
        await backend.aclose()


def select_loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop if it is installed (with the gateway): it halves what a request costs. None: the standard event loop."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


async def open_source(settings: Settings, rate: RequestRate) -> ThreadSource:
    """The service, read directly, or any other backend. It repeats nothing: the export does, so that a 429 slows down
    all requests. A backend performs no runs.
    """
    if settings.backend != "assistants":
        return await open_backend(settings.model_copy(update={"performs_runs": False}))
    # Imported here because the SDK takes longer to import than an export from a store takes to start.
    from threadbridge_adapters.assistants.direct_reader import open_direct_reader
    from threadbridge_migrate.export.service_source import ServiceSource

    reader = open_direct_reader(
        settings.assistants, section="assistants", max_response_bytes=settings.limits.response_bytes
    )
    reader.observers.append(rate.observe)
    return ServiceSource(reader, lists_threads=settings.assistants.list_threads)
