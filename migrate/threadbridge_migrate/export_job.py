"""One export from settings to a finished archive: what the command does, as a function."""

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
    """How hard an export may press its source."""

    #: Requests under way at once.
    concurrency: int = 32
    #: Requests a minute, None for as many as the source gives (A6: OpenAI gave 1000).
    per_minute: float | None = None
    #: How often one request is tried before its thread is recorded as failed.
    attempts: int = 5


async def export_threads(
    settings: Settings,
    ids: Sequence[str] | None,
    out: Path,
    *,
    listener: AbstractContextManager[ProgressListener],
    options: ExportOptions | None = None,
) -> ExportReport:
    """Export threads of the backend that the settings name: these, or with None all that it lists.

    `watch` is entered once nothing stands in the way of the first request.
    Raises UsageError for a directory or a source that does not fit and ConfigurationError for wrong settings, both
    before anything is written; other BridgeErrors when the source or the archive as a whole fails, OSError when the
    disk does.
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
    """The export only reads, and repeats requests itself: only so do all of them slow down when one is told to."""
    assistants = settings.assistants.model_copy(update={"max_retries": 0})
    return settings.model_copy(update={"assistants": assistants, "performs_runs": False})
