"""`migrate load`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

if TYPE_CHECKING:
    from threadbridge.settings import Settings
    from threadbridge_migrate.archive.reader import Archive
    from threadbridge_migrate.load.file_uploads import UploadReport
    from threadbridge_migrate.load.loader import LoadOptions, LoadReport

EXIT_CODES = (
    "Exit codes: 0 all threads are in the store; 1 some are not, or were changed (each is named); "
    "2 wrong usage or configuration; 4 the archive, the store or the disk failed; 5 all threads were there already; "
    "130 interrupted (SIGINT)."
)

#: Losses that are printed; all are in the report of --json.
MAX_PRINTED_LOSSES = 20


def load(
    archive: Annotated[Path, typer.Argument(help="Directory of the archive.")],
    store: Annotated[str, typer.Option("--store", help="URL of the store (sqlite:///PATH) that takes the threads.")],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID|@FILE", help="Load only these threads: an id, or a file of ids."),
    ] = None,
    map_model: Annotated[
        list[str] | None,
        typer.Option("--map-model", metavar="OLD=NEW", help="Load assistants of model OLD with model NEW."),
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Tenant that owns the threads.")] = None,
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="Load the complete threads of an export that has not finished.")
    ] = False,
    files: Annotated[
        bool,
        typer.Option(
            "--files", help="Upload files and create vector stores again; the threads then name their new ids."
        ),
    ] = False,
    upstream: Annotated[
        str | None,
        typer.Option("--upstream", help="Base URL of the service that gets the files; default: that of the settings."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Put the threads of an archive into a store, with their ids, times, metadata, order, runs and steps.

    A thread is loaded whole or not at all. After an interruption, even by kill -9, the same command continues;
    repeated, it adds nothing. Threads that have grown in the archive since are replaced; threads that have been
    continued in the store stay as they are. Runs that were active at the source are ended. Everything that was changed
    or left out is named.
    """
    with report_errors():
        import asyncio
        import gc

        from threadbridge_migrate.archive.reader import Archive
        from threadbridge_migrate.archive.verification import require_seal
        from threadbridge_migrate.errors import UsageError
        from threadbridge_migrate.export.sources import BackendLocation, resolve
        from threadbridge_migrate.export.thread_ids import read_ids
        from threadbridge_migrate.load.loader import LoadOptions

        # A new store is a URL; a word without a scheme is a file that exists.
        further = {"tenant": tenant} if tenant else {}
        service = {"upstream": {"base_url": upstream}} if upstream else {}
        location = resolve(store, option="--store", settings={**further, **service})
        if not isinstance(location, BackendLocation) or location.settings.backend != "responses":
            raise UsageError(f"--store {store!r} is not a store; name one by its URL, as in sqlite:///threads.db.")
        words = [word.removeprefix("@") for word in only or ()]
        opened = Archive.open(archive)
        require_seal(opened, unsealed=unsealed)
        options = LoadOptions(
            tenant=location.settings.tenant,
            only=frozenset(read_ids(words, sys.stdin)) if words else None,
            models=_parse_models(map_model or []),
        )
        gc.set_threshold(100_000, 50, 50)  # parsed objects have no cycles, and collecting them costs a fifth of a load
        uploads, report = asyncio.run(_load(opened, location.settings, options, with_files=files))
    _print_report(report, uploads, archive, as_json=as_json)
    raise typer.Exit(_choose_exit_code(report, uploads))


def _parse_models(words: list[str]) -> dict[str, str]:
    from threadbridge_migrate.errors import UsageError

    models: dict[str, str] = {}
    for word in words:
        old, equals, new = word.partition("=")
        if not (old and equals and new):
            raise UsageError(f"--map-model takes OLD=NEW, not {word!r}.")
        models[old] = new
    return models


async def _load(
    archive: Archive, settings: Settings, options: LoadOptions, *, with_files: bool
) -> tuple[UploadReport, LoadReport]:
    from dataclasses import replace

    from threadbridge_adapters.composition import open_upstream
    from threadbridge_adapters.stores import open_store
    from threadbridge_migrate.load.file_uploads import FileUploads, UploadReport
    from threadbridge_migrate.load.id_ledger import get_ledger_path, read_ledger
    from threadbridge_migrate.load.loader import load_archive

    uploads = UploadReport({}, 0, 0, [])
    ledger = get_ledger_path(archive.path)
    if with_files or ledger.exists():
        service = open_upstream(settings)
        try:
            if with_files:
                uploads = await FileUploads(archive, service).run()
            else:
                # What an earlier load uploaded stays mapped.
                uploads = UploadReport(read_ledger(ledger, destination=service.name), 0, 0, [])
        finally:
            await service.aclose()
    store = await open_store(settings.store)
    try:
        return uploads, await load_archive(archive, store, replace(options, ids=uploads.ids))
    finally:
        await store.aclose()


def _choose_exit_code(report: LoadReport, uploads: UploadReport) -> ExitCode:
    if report.losses or uploads.losses:
        return ExitCode.ITEM_ERRORS
    changed = (
        uploads.files
        or uploads.vector_stores
        or report.assistants
        or report.threads["added"]
        or report.threads["extended"]
    )
    return ExitCode.DONE if changed else ExitCode.NOTHING_TO_DO


def _print_report(report: LoadReport, uploads: UploadReport, archive: Path, *, as_json: bool) -> None:
    losses = [*uploads.losses, *report.losses]
    if as_json:
        import orjson

        counts = {"files": uploads.files, "vector_stores": uploads.vector_stores}
        typer.echo(orjson.dumps({"archive": str(archive), **report.as_json(), **counts, "losses": losses}))
        return
    if uploads.files or uploads.vector_stores:
        typer.echo(f"Uploaded {uploads.files} files and created {uploads.vector_stores} vector stores")
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in report.threads.items()) or "none"
    typer.echo(
        f"Threads: {outcomes}. Loaded {report.messages} messages, {report.runs} runs, {report.steps} steps and "
        f"{report.assistants} assistants in {report.seconds:.1f} s"
    )
    for loss in losses[:MAX_PRINTED_LOSSES]:
        typer.echo(f"migrate: {loss}", err=True)
    more = len(losses) - MAX_PRINTED_LOSSES + report.more_losses
    if more > 0:
        typer.echo(f"migrate: and {more} more; --json names them", err=True)
