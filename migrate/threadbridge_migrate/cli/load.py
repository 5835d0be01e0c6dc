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
        from threadbridge_migrate.errors import UsageError
        from threadbridge_migrate.export.sources import BackendLocation, resolve
        from threadbridge_migrate.export.thread_ids import read_ids
        from threadbridge_migrate.load.loader import LoadOptions
        from threadbridge_migrate.load.thread_reader import verify_archive

        # A new store is a URL; a word without a scheme is a file that exists.
        location = resolve(store, option="--store", settings={"tenant": tenant} if tenant else None)
        if not isinstance(location, BackendLocation) or location.settings.backend != "responses":
            raise UsageError(f"--store {store!r} is not a store; name one by its URL, as in sqlite:///threads.db.")
        words = [word.removeprefix("@") for word in only or ()]
        opened = Archive.open(archive)
        verify_archive(opened, unsealed=unsealed)
        options = LoadOptions(
            tenant=location.settings.tenant,
            only=frozenset(read_ids(words, sys.stdin)) if words else None,
            models=_parse_models(map_model or []),
        )
        gc.set_threshold(100_000, 50, 50)  # parsed objects have no cycles, and collecting them costs a fifth of a load
        report = asyncio.run(_load(opened, location.settings, options))
    _print_report(report, archive, as_json=as_json)
    raise typer.Exit(_choose_exit_code(report))


def _parse_models(words: list[str]) -> dict[str, str]:
    from threadbridge_migrate.errors import UsageError

    models: dict[str, str] = {}
    for word in words:
        old, equals, new = word.partition("=")
        if not (old and equals and new):
            raise UsageError(f"--map-model takes OLD=NEW, not {word!r}.")
        models[old] = new
    return models


async def _load(archive: Archive, settings: Settings, options: LoadOptions) -> LoadReport:
    from threadbridge_adapters.stores import open_store
    from threadbridge_migrate.load.loader import load_archive

    store = await open_store(settings.store)
    try:
        return await load_archive(archive, store, options)
    finally:
        await store.aclose()


def _choose_exit_code(report: LoadReport) -> ExitCode:
    if report.losses:
        return ExitCode.ITEM_ERRORS
    return ExitCode.DONE if report.threads["added"] or report.threads["extended"] else ExitCode.NOTHING_TO_DO


def _print_report(report: LoadReport, archive: Path, *, as_json: bool) -> None:
    if as_json:
        import orjson

        typer.echo(orjson.dumps({"archive": str(archive), **report.as_json()}))
        return
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in report.threads.items()) or "none"
    typer.echo(
        f"Threads: {outcomes}. Loaded {report.messages} messages, {report.runs} runs, {report.steps} steps and "
        f"{report.assistants} assistants in {report.seconds:.1f} s"
    )
    for loss in report.losses[:MAX_PRINTED_LOSSES]:
        typer.echo(f"migrate: {loss}", err=True)
    more = len(report.losses) - MAX_PRINTED_LOSSES + report.more_losses
    if more > 0:
        typer.echo(f"migrate: and {more} more; --json names them", err=True)
