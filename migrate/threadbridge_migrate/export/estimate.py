"""What an export would cost, from a sample of its threads: requests, seconds and bytes. Writes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from threadbridge.api_types import JsonObject
from threadbridge.errors import BridgeError, UpstreamError
from threadbridge.ports import RequestContext
from threadbridge.settings import Settings
from threadbridge_migrate.archive.journal import JOURNAL, ExportProgress, replay_journal
from threadbridge_migrate.archive.reader import OBJECT_PARTS
from threadbridge_migrate.archive.record_buffer import RecordBuffer
from threadbridge_migrate.export.exporter import ExportOptions, open_source
from threadbridge_migrate.export.rate_limited_source import RateLimitedSource
from threadbridge_migrate.export.request_rate import RequestRate
from threadbridge_migrate.export.sources import iterate_ids, iterate_listed_ids
from threadbridge_migrate.export.thread_reader import ThreadReader, gather

#: Threads that are read to estimate the others.
SAMPLE_THREADS: Final = 20
#: Processor seconds of a request: the most that one core can do.
_REQUEST_SECONDS: Final = 0.0006


@dataclass(frozen=True, slots=True)
class Estimate:
    """The expected work of an export. Files and their contents are not included."""

    threads: int
    #: Threads that are in the archive already.
    skipped: int
    requests: int
    seconds: float
    bytes: int
    #: Threads that were read for the estimate, and requests that it took.
    sample: int
    sample_requests: int

    def as_json(self) -> JsonObject:
        """The estimate as one JSON object."""
        return asdict(self)


class _ByteCounter:
    def __init__(self) -> None:
        self.size = 0

    def write(self, content: bytes) -> int:
        self.size += len(content)
        return len(content)


async def estimate_export(settings: Settings, ids: Sequence[str] | None, out: Path, options: ExportOptions) -> Estimate:
    """The expected work of an export of these threads, or of all that the source lists.

    Threads of the sample that cannot be read do not count. Raises the source's error if all of its requests fail.
    """
    rate = RequestRate(options.requests_per_second)
    backend = await open_source(settings, rate)
    try:
        source = RateLimitedSource(
            RequestContext(settings.tenant), concurrency=options.concurrency, attempts=options.attempts, rate=rate
        )
        progress = replay_journal(out / JOURNAL)
        found = iterate_listed_ids(backend, source) if ids is None else iterate_ids(ids)
        threads = [thread_id async for thread_id in found]
        pending = [thread_id for thread_id in threads if not progress.is_finished("thread", thread_id)]
        sample = pending[:: max(1, len(pending) // SAMPLE_THREADS)][:SAMPLE_THREADS]
        latency = 0.0
        if sample:
            started = time.perf_counter()
            await asyncio.gather(
                source.request(lambda: backend.retrieve_thread(source.context, sample[0])), return_exceptions=True
            )
            latency = time.perf_counter() - started
        before = source.requests
        counter = _ByteCounter()

        async def read(thread_id: str) -> bool:
            with ExitStack() as cleanup:
                buffer = cleanup.enter_context(RecordBuffer("thread", thread_id))
                reader = ThreadReader(backend, source, ExportProgress(), thread_id, cleanup)
                try:
                    await reader.read_thread(buffer)
                except UpstreamError:
                    raise
                except BridgeError as error:
                    if error.status in (401, 403):
                        raise
                    return False
                for each in (buffer, *reader.take_separate_buffers()):
                    each.copy_to(dict.fromkeys(OBJECT_PARTS, counter))
                return True

        usable = max(1, sum(await gather(*(read(thread_id) for thread_id in sample))))
        factor = len(pending) / usable if sample else 0.0
        requests = round((source.requests - before) * factor)
        seconds_per_request = max(
            latency / options.concurrency,
            _REQUEST_SECONDS,
            1 / options.requests_per_second if options.requests_per_second else 0.0,
        )
        return Estimate(
            threads=len(pending),
            skipped=len(threads) - len(pending),
            requests=requests,
            seconds=round(requests * seconds_per_request, 1),
            bytes=round(counter.size * factor),
            sample=len(sample),
            sample_requests=source.requests,
        )
    finally:
        await backend.aclose()
