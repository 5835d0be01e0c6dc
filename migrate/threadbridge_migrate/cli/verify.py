"""`migrate verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

EXIT_CODES = (
    "Exit codes: 0 the archive is as it was sealed; 1 something is wrong with it (each finding is a line); "
    "4 not an archive, or one of another version."
)


def verify(
    path: Annotated[Path, typer.Argument(help="Directory of the archive.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Check an archive from its own bytes: sizes and SHA-256 of all files, every line, and what the lines refer to.

    Nothing is changed. Run the export again to fetch what was damaged.
    """
    with report_errors():
        import orjson

        from threadbridge_migrate.archive.verification import verify as run_verification

        report = run_verification(path)
    if as_json:
        typer.echo(orjson.dumps({"archive": str(path), **report.as_json()}))
    else:
        verdict = f"{len(report.findings)} findings" if report.findings else "intact"
        typer.echo(
            f"{path}: {verdict} ({report.state}, version {report.version}, {report.files} files, {report.bytes} bytes, "
            f"{report.counts.total()} objects)"
        )
        for finding in report.findings:
            typer.echo(f"migrate: {finding.file}: {finding.reason}", err=True)
        for file, count in report.more_findings.items():
            typer.echo(f"migrate: {file}: and {count} more findings", err=True)
    raise typer.Exit(ExitCode.ITEM_ERRORS if report.findings else ExitCode.DONE)
