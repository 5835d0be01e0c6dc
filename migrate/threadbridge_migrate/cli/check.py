"""`migrate check`."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

if TYPE_CHECKING:
    from threadbridge.api_types import JsonMapping
    from threadbridge_migrate.check.comparison import Place, ThreadComparison

EXIT_CODES = (
    "Exit codes: 0 equal; 1 some threads differ, are missing or could not be read (each is named); 2 wrong usage or "
    "configuration; 3 a service rejected the key; 4 a place could not be read at all; 130 interrupted (SIGINT)."
)

#: Differing threads that are printed; all are in the file of --combined.
MAX_PRINTED_THREADS = 20
#: Losses that are printed of one thread.
MAX_PRINTED_LOSSES = 5


def check(
    source: Annotated[str, typer.Argument(help="An archive, the URL of a store (sqlite:///PATH) or of a service.")],
    destination: Annotated[str, typer.Argument(metavar="DEST", help="The place to compare with it, named as SOURCE.")],
    only: Annotated[
        list[str] | None,
        typer.Option("--only", metavar="ID|@FILE", help="Compare only these threads: an id, or a file of ids."),
    ] = None,
    combined: Annotated[
        Path | None,
        typer.Option("--combined", help="Write a line for every thread: symbol, id, and what differs (- for stdout)."),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option("--ledger", help="Ledger of uploaded files; default: the one next to an archive.")
    ] = None,
    tenant: Annotated[str | None, typer.Option("--tenant", help="Tenant of the threads in a store.")] = None,
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="Read the complete threads of an export that has not finished.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Compare two places that hold threads, thread by thread, and name every difference.

    = equal, - missing in DEST, + only in DEST, * differs, ! could not be read. Equal means equal JSON values of thread,
    messages, runs and steps, and the same order; only the ids of files that `migrate load` uploaded may differ. The
    grade says what DEST has of a thread: full, messages (all messages), text (the same texts), none.

    A service that cannot list its threads is asked for those of the other place.
    """
    with report_errors(), ExitStack() as opened:
        import asyncio

        import orjson

        from threadbridge_migrate.check.comparison import check as run_check
        from threadbridge_migrate.export.thread_ids import read_ids

        settings = {"tenant": tenant} if tenant else None
        places = [_open(word, name, settings, unsealed) for word, name in ((source, "SOURCE"), (destination, "DEST"))]
        words = [word.removeprefix("@") for word in only or ()]
        lines = None
        if combined is not None:
            lines = sys.stdout if str(combined) == "-" else opened.enter_context(combined.open("w", encoding="utf-8"))
        printed = 0

        def record(comparison: ThreadComparison) -> None:
            nonlocal printed
            if lines is not None:
                details = "; ".join(comparison.losses)
                lines.write(f"{comparison.symbol} {comparison.thread_id}{': ' if details else ''}{details}\n")
            if comparison.symbol != "=":
                printed += 1
                if printed <= MAX_PRINTED_THREADS:
                    _print_comparison(comparison)

        report = asyncio.run(
            run_check(
                *places,
                ids=_read_ids(places, ledger),
                only=frozenset(read_ids(words, sys.stdin)) if words else None,
                record=record,
            )
        )
        if as_json:
            typer.echo(orjson.dumps({"source": source, "destination": destination, **report.as_json()}))
        else:
            counts = ", ".join(f"{symbol} {report.symbols[symbol]}" for symbol in "=-+*!" if report.symbols[symbol])
            verdict = "equal" if report.is_equal else "not equal"
            typer.echo(
                f"{verdict}: {counts or 'no threads'} ({report.messages} messages read in {report.seconds:.1f} s)",
                err=lines is sys.stdout,
            )
    raise typer.Exit(ExitCode.DONE if report.is_equal else ExitCode.ITEM_ERRORS)


def _open(word: str, name: str, settings: JsonMapping | None, unsealed: bool) -> Place:
    from threadbridge_migrate.archive.reader import Archive
    from threadbridge_migrate.archive.verification import require_seal
    from threadbridge_migrate.export.sources import ArchiveLocation, resolve

    location = resolve(word, option=name, settings=settings)
    if not isinstance(location, ArchiveLocation):
        return location.settings
    archive = Archive.open(location.path)
    require_seal(archive, unsealed=unsealed)
    return archive


def _read_ids(places: list[Place], ledger: Path | None) -> dict[str, str]:
    from threadbridge_migrate.archive.reader import Archive
    from threadbridge_migrate.load.id_ledger import get_ledger_path, read_ledger

    paths = (
        [ledger] if ledger is not None else [get_ledger_path(each.path) for each in places if isinstance(each, Archive)]
    )
    return {old: new for path in paths for old, new in read_ledger(path).items()}


def _print_comparison(comparison: ThreadComparison) -> None:
    losses = comparison.losses[:MAX_PRINTED_LOSSES]
    more = len(comparison.losses) - len(losses)
    details = "; ".join(losses) + (f"; and {more} more" if more else "")
    typer.echo(f"{comparison.symbol} {comparison.thread_id} [{comparison.grade}]: {details}", err=True)
