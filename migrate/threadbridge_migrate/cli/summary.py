"""`migrate summary`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from threadbridge_migrate.cli.error_report import report_errors

EXIT_CODES = "Exit codes: 0 valid archive; 4 not an archive, or a damaged one."


def summary(
    path: Annotated[Path, typer.Argument(help="Directory of the archive.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
) -> None:
    """Print a summary of an archive."""
    with report_errors():
        from threadbridge_migrate.archive.reader import read_manifest, summarise

        typer.echo(read_manifest(path).model_dump_json(indent=2) if as_json else summarise(path))
