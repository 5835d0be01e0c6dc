"""`migrate mirror`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

if TYPE_CHECKING:
    from threadbridge.settings import Settings
    from threadbridge_migrate.mirror.thread_mirror import MirrorOptions, MirrorReport

EXIT_CODES = (
    "Exit codes: 0 every thread is in its conversation (--revert: every conversation is deleted); 1 some are not (each "
    "is named); 2 wrong usage or configuration; 3 the service rejected the key; 4 the store, the service or the disk "
    "failed; 5 all had been done before; 130 interrupted (SIGINT)."
)

#: Failures that are printed; all are in the report of --json.
MAX_PRINTED_FAILURES = 20


def mirror(
    store: Annotated[str, typer.Option("--store", help="URL of the store (sqlite:///PATH) that has the threads.")],
    upstream: Annotated[
        str | None, typer.Option("--upstream", help="Base URL of the Responses service; default: that of the settings.")
    ] = None,
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID|@FILE", help="Write only these threads: an id, or a file of ids."),
    ] = None,
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", help="File of the ledger; default: STORE.mirror.jsonl."),
    ] = None,
    revert: Annotated[bool, typer.Option("--revert", help="Delete the conversations that the ledger names.")] = False,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Tenant that owns the threads.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=100, help="Threads written at the same time.")] = 8,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Write the threads of a store to conversations of the Responses API.

    Each thread becomes a conversation with its messages and the function calls that have outputs; its metadata name the
    thread. The ledger says which conversation belongs to which thread. After an interruption, even by kill -9, the same
    command continues, and later it appends what threads have grown by. The store is not changed.
    """
    with report_errors():
        import asyncio

        from threadbridge_migrate.errors import UsageError
        from threadbridge_migrate.export.sources import BackendLocation, resolve
        from threadbridge_migrate.export.thread_ids import read_ids
        from threadbridge_migrate.mirror.thread_mirror import MirrorOptions

        further = {"tenant": tenant} if tenant else {}
        # Repetitions by the SDK could add items twice.
        service = {"max_retries": 0, **({"base_url": upstream} if upstream else {})}
        location = resolve(store, option="--store", settings={**further, "upstream": service})
        if not isinstance(location, BackendLocation) or location.settings.backend != "responses":
            raise UsageError(f"--store {store!r} is not a store; name one by its URL, as in sqlite:///threads.db.")
        words = [word.removeprefix("@") for word in only or ()]
        options = MirrorOptions(
            tenant=location.settings.tenant,
            only=read_ids(words, sys.stdin) if words else None,
            concurrency=concurrency,
        )
        path = ledger or _choose_ledger(location.settings)
        report = asyncio.run(_mirror(location.settings, options, path, revert=revert))
    _print_report(report, as_json=as_json)
    if report.failures:
        raise typer.Exit(ExitCode.ITEM_ERRORS)
    changed = report.threads.total() - report.threads["unchanged"]
    raise typer.Exit(ExitCode.DONE if changed else ExitCode.NOTHING_TO_DO)


def _choose_ledger(settings: Settings) -> Path:
    from threadbridge_adapters.stores.sqlite.connection import parse_store_url
    from threadbridge_migrate.errors import UsageError

    path = parse_store_url(settings.store).path
    if path is None:
        raise UsageError("A store in memory has no place for a ledger; name one with --ledger FILE.")
    if not path.exists():
        raise UsageError(f"There is no store {path}; check --store.")
    return path.with_name(f"{path.name}.mirror.jsonl")


async def _mirror(settings: Settings, options: MirrorOptions, path: Path, *, revert: bool) -> MirrorReport:
    from threadbridge_adapters.composition import open_upstream
    from threadbridge_adapters.stores import open_store
    from threadbridge_migrate.mirror.conversation_ledger import open_ledger
    from threadbridge_migrate.mirror.thread_mirror import ThreadMirror

    with open_ledger(path) as ledger:
        upstream = open_upstream(settings)
        try:
            store = await open_store(settings.store)
            try:
                thread_mirror = ThreadMirror(store, upstream, ledger, options)
                return await (thread_mirror.revert() if revert else thread_mirror.write())
            finally:
                await store.aclose()
        finally:
            await upstream.aclose()


def _print_report(report: MirrorReport, *, as_json: bool) -> None:
    if as_json:
        import orjson

        typer.echo(orjson.dumps(report.as_json()))
        return
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in report.threads.items()) or "none"
    typer.echo(f"Threads: {outcomes}. Sent {report.items} items in {report.seconds:.1f} s")
    for failure in report.failures[:MAX_PRINTED_FAILURES]:
        typer.echo(f"migrate: {failure}", err=True)
    if len(report.failures) > MAX_PRINTED_FAILURES:
        typer.echo(f"migrate: and {len(report.failures) - MAX_PRINTED_FAILURES} more; --json names them", err=True)
