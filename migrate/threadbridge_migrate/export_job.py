"""One export from settings to a finished archive, as a function; the command calls it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from threadbridge.ports import RequestContext
from threadbridge.runtime.plugins import open_backend
from threadbridge.settings import Settings
from threadbridge_migrate._rate_limited_source import RateLimitedSource
from threadbridge_migrate.export import Exporter, ExportReport, ProgressListener
from threadbridge_migrate.sources import describe_source, iterate_ids, iterate_listed_ids
from threadbridge_migrate.writer import ArchiveWriter


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """Limits on the load that an export puts on its source."""

    #: Concurrent requests.
    concurrency: int = 32
    #: Requests per minute, or None for no limit of our own (A6: OpenAI allowed 1000).
    per_minute: float | None = None
    #: Attempts per request before its thread is recorded as failed.
    attempts: int = 5


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
    backend = await open_backend(_make_read_only(settings))
    try:
        source = RateLimitedSource(
            RequestContext(settings.tenant),
            concurrency=options.concurrency,
            attempts=options.attempts,
            per_minute=options.per_minute,
        )
        thread_ids = iterate_listed_ids(backend, source) if ids is None else iterate_ids(ids)
        with (
            ArchiveWriter(out, source=describe_source(settings), options=asdict(options)) as writer,
            listener as active_listener,
        ):
            export = Exporter(backend, writer, source, concurrency=options.concurrency, listener=active_listener)
            return await export.run(thread_ids)
    finally:
        await backend.aclose()


def _make_read_only(settings: Settings) -> Settings:
    """Disable the backend's runs and its retries: the export retries itself, so that a 429 slows down all requests."""
    assistants = settings.assistants.model_copy(update={"max_retries": 0})
    return settings.model_copy(update={"assistants": assistants, "performs_runs": False})
