"""`migrate import-dump`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

if TYPE_CHECKING:
    from threadbridge_migrate.dumps.importer import ImportReport

EXIT_CODES = (
    "Exit codes: 0 everything is in the archive; 1 something could not be placed (each is in errors.jsonl); 2 wrong "
    "usage; 4 nothing was recognised, or the archive or the disk failed; 5 the archive had all threads already; "
    "130 interrupted (SIGINT)."
)

#: Problems that are printed; all are in errors.jsonl and in the report of --json.
MAX_PRINTED_PROBLEMS = 20


def import_dump(
    paths: Annotated[list[Path], typer.Argument(help="Files, folders and ZIP archives of the dump.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory of the archive.")] = Path("archive"),
    columns: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="FIELD=COLUMN,…", help="Columns of tables, such as thread_id=chat,role=who."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what is in the dump, and write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as one JSON object.")] = False,
) -> None:
    """Turn what you have of your threads into an archive: saved lists, exports, tables, logs, recordings.

    Formats are recognised by the structure of the files, not by their names. The report says what each file was taken
    for and what is missing; every thread has a grade (full, messages, text), its origin, and what was derived, in
    provenance.jsonl. Continue with `migrate load`.
    """
    with report_errors():
        from threadbridge_migrate.dumps.columns import parse_mapping
        from threadbridge_migrate.dumps.importer import import_dump as run_import

        report = run_import(paths, None if dry_run else out, parse_mapping(columns or []))
    _print_report(report, None if dry_run else out, as_json=as_json)
    if report.problems:
        raise typer.Exit(ExitCode.ITEM_ERRORS)
    threads = report.grades.total()
    raise typer.Exit(ExitCode.NOTHING_TO_DO if threads and report.known == threads else ExitCode.DONE)


def _print_report(report: ImportReport, out: Path | None, *, as_json: bool) -> None:
    if as_json:
        import orjson

        typer.echo(orjson.dumps(report.as_json()))
        return
    files = ", ".join(f"{count} {name}" for name, count in report.files.items()) or "none"
    typer.echo(f"Files: {files}")
    grades = ", ".join(f"{count} {name}" for name, count in report.grades.items()) or "none"
    typer.echo(
        f"Threads: {grades}, with {report.messages} messages, {report.runs} runs and {report.assistants} assistants"
    )
    for title, counts in (("Missing", report.missing), ("Derived", report.derived)):
        if counts:
            typer.echo(f"{title}: " + ", ".join(f"{name} of {count} threads" for name, count in counts.most_common()))
    typer.echo("Nothing was written (--dry-run)" if out is None else f"Written to {out}")
    for problem in report.problems[:MAX_PRINTED_PROBLEMS]:
        place = f", {problem.origin.position}" if problem.origin.position else ""
        typer.echo(f"migrate: {problem.origin.path}{place}: {problem.reason}", err=True)
    if (more := len(report.problems) - MAX_PRINTED_PROBLEMS) > 0:
        typer.echo(f"migrate: and {more} more; errors.jsonl has all of them", err=True)
