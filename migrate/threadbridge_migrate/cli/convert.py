"""`migrate convert`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

EXIT_CODES = (
    "Exit codes: 0 all threads were converted; 2 wrong usage, or an archive that is not sealed; 4 the archive or the "
    "disk failed; 5 the archive has no threads; 130 interrupted (SIGINT)."
)


def convert(
    path: Annotated[Path, typer.Argument(metavar="ARCHIVE", help="Directory of the archive.")],
    to: Annotated[
        Literal["sqlite", "parquet", "markdown", "html", "openai-items", "chat-jsonl"],
        typer.Option("--to", help="The format."),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="New directory; default: ARCHIVE-FORMAT next to the archive.")
    ] = None,
    unsealed: Annotated[
        bool, typer.Option("--unsealed", help="Convert the complete threads of an export that has not finished.")
    ] = False,
) -> None:
    """Write an archive in another format: tables for queries, pages for people, items and messages for models.

    The directory appears when it is complete. The archive is not changed.
    """
    with report_errors():
        from threadbridge_migrate.archive.reader import Archive
        from threadbridge_migrate.archive.verification import require_seal
        from threadbridge_migrate.conversion.converter import convert as run_conversion

        archive = Archive.open(path)
        require_seal(archive, unsealed=unsealed)
        target = out or path.with_name(f"{path.resolve().name}-{to}")
        count = run_conversion(archive, to, target)
    typer.echo(f"Converted {count} threads to {target}")
    raise typer.Exit(ExitCode.DONE if count else ExitCode.NOTHING_TO_DO)
