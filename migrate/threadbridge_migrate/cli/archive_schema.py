"""`migrate archive-schema`."""

from __future__ import annotations

from importlib.resources import files

import typer

from threadbridge_migrate.cli.error_report import report_errors

EXIT_CODES = "Exit codes: 0 printed."


def archive_schema() -> None:
    """Print the JSON Schema of archives: of the manifest, and of the lines of every file."""
    with report_errors():
        schema = files("threadbridge_migrate.archive").joinpath("archive.schema.json")
        typer.echo(schema.read_text("utf-8"), nl=False)
