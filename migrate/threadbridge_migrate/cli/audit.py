"""`migrate audit`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

if TYPE_CHECKING:
    from threadbridge_migrate.audit.call_site import AuditReport

EXIT_CODES = (
    "Exit codes: 0 call sites were found and none reaches the effort of --fail-on; 1 some file does; 2 wrong usage, no "
    "such path, or the extra is missing; 4 the output could not be written; 5 no call site."
)


class Format(StrEnum):
    """How the report is written."""

    TEXT = "text"
    JSON = "json"
    SARIF = "sarif"


class FailOn(StrEnum):
    """The effort from which on the exit code is 1."""

    ANY = "any"
    REVIEW = "review"
    REWORK = "rework"
    NEVER = "never"


def audit(
    path: Annotated[Path, typer.Argument(help="A folder of source code, or one file.")],
    output_format: Annotated[Format, typer.Option("--format", help="The form of the report.")] = Format.TEXT,
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the report to this file.")] = None,
    fail_on: Annotated[
        FailOn, typer.Option("--fail-on", help="Exit with 1 if a file needs this effort or more; any: any call site.")
    ] = FailOn.REWORK,
) -> None:
    """Find every use of the Assistants API in source code, and say what serves it.

    Python, JavaScript, TypeScript, Go, Ruby, PHP, Java, Kotlin and C# are parsed, shell scripts too; in other languages
    raw HTTP requests are found. Calls count only where an OpenAI client is used. Nothing is executed or changed.

    A file's effort: one-line (only its client changes), review (caveats need a decision), rework (code changes).
    """
    with report_errors():
        from threadbridge_migrate.audit.scanner import audit as run_audit

        report = run_audit(path)
        text = _format(report, Format.JSON if as_json else output_format)
        if out is None:
            typer.echo(text)
        else:
            out.write_text(text + "\n", encoding="utf-8")
    raise typer.Exit(_select_exit_code(report, fail_on))


def _format(report: AuditReport, output_format: Format) -> str:
    import orjson

    from threadbridge_migrate.audit.report import build_json, format_text
    from threadbridge_migrate.audit.sarif import build_sarif

    match output_format:
        case Format.TEXT:
            return "\n".join(format_text(report))
        case Format.JSON:
            return orjson.dumps(build_json(report), option=orjson.OPT_INDENT_2).decode()
        case Format.SARIF:
            return orjson.dumps(build_sarif(report), option=orjson.OPT_INDENT_2).decode()


def _select_exit_code(report: AuditReport, fail_on: FailOn) -> ExitCode:
    from threadbridge_migrate.audit.call_site import Effort

    if not report.call_sites:
        return ExitCode.NOTHING_TO_DO
    bounds = {FailOn.ANY: Effort.ONE_LINE, FailOn.REVIEW: Effort.REVIEW, FailOn.REWORK: Effort.REWORK}
    bound = bounds.get(fail_on)
    return ExitCode.ITEM_ERRORS if bound is not None and report.effort >= bound else ExitCode.DONE
