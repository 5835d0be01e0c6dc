"""`migrate export-threads`."""

from __future__ import annotations

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors, select_exit_code

if TYPE_CHECKING:
    from threadbridge.api_types import JsonObject, JsonValue
    from threadbridge_migrate.export.estimate import Estimate
    from threadbridge_migrate.export.exporter import ExportReport

EXIT_CODES = (
    "Exit codes: 0 the archive is complete; 1 it is complete but for objects that failed; 2 wrong usage or "
    "configuration; 3 the source rejected the key; 4 the source, the archive or the disk failed; 5 nothing to do, the "
    "archive was complete; 130 interrupted, and resumable."
)


class SourceKind(StrEnum):
    """Where threads are exported from."""

    ASSISTANTS = "assistants"
    FOUNDRY = "foundry"
    STORE = "store"


def export_threads(
    out: Annotated[Path, typer.Option("--out", "-o", help="Directory of the archive; created if missing.")],
    more: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="More values for --ids.")] = None,
    ids: Annotated[
        list[str] | None,
        typer.Option(
            "--ids",
            metavar="FILE|-|ID",
            help="Threads to export: a file with one id per line (FILE or @FILE), - for standard input, or an id; ^ "
            "before one excludes it. May be repeated. Default: all threads, if the source can list them.",
        ),
    ] = None,
    ids_from: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|URL|env:NAME",
            help="Take ids from a column of a CSV or JSON Lines file, or from a database (with --query): the URL of "
            "SQLAlchemy, or the variable that holds it.",
        ),
    ] = None,
    column: Annotated[str | None, typer.Option(help="The column of --ids-from. Default: thread_id or similar.")] = None,
    query: Annotated[str | None, typer.Option(help="SQL for --ids-from, as in 'select thread_id from chats'.")] = None,
    source: Annotated[
        SourceKind | None, typer.Option(help="The kind of the source: a service, a Foundry project, or our store.")
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Endpoint of a Foundry project (https://HOST/api/projects/NAME).")
    ] = None,
    api_version: Annotated[str | None, typer.Option(help="The api-version of a Foundry project. Default: v1.")] = None,
    backend: Annotated[
        str | None, typer.Option("--backend", help="Source: assistants, responses or an installed backend.")
    ] = None,
    base_url: Annotated[
        str | None, typer.Option("--base-url", help="URL of an Assistants service; implies --backend assistants.")
    ] = None,
    store: Annotated[str | None, typer.Option("--store", help="URL of the store, with --backend responses.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="Any other setting, as in --set assistants.query.api-version=v1."
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, max=1000, help="Concurrent requests.")] = 128,
    rate: Annotated[float | None, typer.Option(min=1, help="Maximum requests per minute.")] = None,
    tpslimit: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Maximum requests per second. Default: as many as the source accepts, by its rate headers and 429s.",
        ),
    ] = None,
    attempts: Annotated[int, typer.Option(min=1, help="Attempts per request before its thread counts as failed.")] = 5,
    files: Annotated[
        bool, typer.Option("--files/--no-files", help="Export the files and vector stores that threads reference.")
    ] = True,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME|AGE|last",
            help="Only threads with a message since then (2026-11-01, 12h, 7d, or last: an hour before the end of the "
            "last export). Archived threads that changed since are fetched again.",
        ),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Require that --out is an archive; without one this is an error.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read a few threads, print requests, time and bytes, and write nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as one JSON object, and progress as JSON lines.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress on standard error.")] = False,
) -> None:
    """Write threads with their messages, runs, steps, assistants, vector stores and files to an archive.

    After an interruption, even by kill -9, the same command continues where it stopped. Threads in the archive are
    skipped, failed threads are retried, and more ids extend the archive. An archive has one source. Damaged files of
    the archive are reported, and the lost objects are fetched again. Failures are recorded in errors.jsonl.

    Keys come from the environment (THREADBRIDGE_ASSISTANTS__API_KEY, or the openai SDK's own variables).
    """
    with report_errors():
        # Imported here to keep --help fast.
        import asyncio

        from stamina.instrumentation import set_on_retry_hooks

        from threadbridge.runtime.settings_loader import load_settings
        from threadbridge_migrate.archive.reader import read_manifest
        from threadbridge_migrate.export.estimate import estimate_export
        from threadbridge_migrate.export.exporter import ExportOptions, select_loop_factory
        from threadbridge_migrate.export.exporter import export_threads as export
        from threadbridge_migrate.export.foundry import authorize
        from threadbridge_migrate.export.progress import show_progress
        from threadbridge_migrate.export.thread_changes import parse_since
        from threadbridge_migrate.export.thread_ids import IdTable, read_ids

        set_on_retry_hooks([])  # warnings would appear in the progress output
        if resume:
            read_manifest(out)  # raises an error if there is none
        id_arguments = [*(ids or ()), *(more or ())]
        arguments = _build_settings(backend, base_url, store, settings or [])
        _add_source(arguments, source, project, api_version)
        tables = [IdTable(ids_from, column, query)] if ids_from else []
        thread_ids = read_ids(id_arguments, sys.stdin, tables) if id_arguments or tables else None
        requests_per_second = tpslimit or (rate / 60 if rate else None)
        options = ExportOptions(
            concurrency=concurrency,
            requests_per_second=requests_per_second,
            attempts=attempts,
            with_files=files,
            since=None if since is None else parse_since(since, out, time.time()),
        )
        loaded = authorize(load_settings(**arguments))
        if dry_run:
            _print_estimate(asyncio.run(estimate_export(loaded, thread_ids, out, options)), as_json=as_json)
            raise typer.Exit(ExitCode.DONE)
        listener = show_progress(total=None if thread_ids is None else len(thread_ids), quiet=quiet, as_json=as_json)
        with asyncio.Runner(loop_factory=select_loop_factory()) as runner:
            report = runner.run(export(loaded, thread_ids, out, listener=listener, options=options))
        _print_report(report, out, as_json=as_json)
    raise typer.Exit(_select_exit_code(report))


def _select_exit_code(report: ExportReport) -> ExitCode:
    if report.stopped:
        return select_exit_code(report.trouble_status)
    if not report.succeeded:
        return ExitCode.ITEM_ERRORS
    return ExitCode.DONE if report.changed_archive else ExitCode.NOTHING_TO_DO


def _build_settings(backend: str | None, base_url: str | None, store: str | None, settings: list[str]) -> JsonObject:
    """The command line's settings as a tree for `load_settings`."""
    from threadbridge.api_types import is_json_object
    from threadbridge.runtime.settings_loader import reject_secret_argument
    from threadbridge_migrate.errors import UsageError

    reject_secret_argument("--base-url", "assistants.base_url", base_url)
    tree: JsonObject = {
        "backend": backend or ("assistants" if base_url else None),
        "store": store,
        "assistants": {"base_url": base_url},
    }
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UsageError(f"--set takes KEY=VALUE, not {key!r}.")
        reject_secret_argument(f"--set {key}", key, value)
        *sections, last = key.split(".")
        branch = tree
        for section in sections:
            inner: JsonValue = branch.get(section) or {}
            if not is_json_object(inner):
                raise UsageError(f"--set {key}: the settings have no section {section}.")
            branch[section] = inner
            branch = inner
        branch[last] = value
    return tree


def _add_source(arguments: JsonObject, source: SourceKind | None, project: str | None, api_version: str | None) -> None:
    """Add the settings of a kind of source to those of the other options."""
    from threadbridge.runtime.settings_loader import reject_secret_argument
    from threadbridge_migrate.export.foundry import build_project_settings

    if source is SourceKind.FOUNDRY or project:
        reject_secret_argument("--project", "assistants.base_url", project)
        section: JsonObject = arguments["assistants"]
        url = project or section["base_url"] or ""
        given = {key: value for key, value in section.items() if value is not None and key != "base_url"}
        arguments["assistants"] = {**build_project_settings(url, api_version=api_version), **given}
        arguments["backend"] = "assistants"
    elif source is not None:
        arguments["backend"] = "responses" if source is SourceKind.STORE else "assistants"


def _print_estimate(estimate: Estimate, *, as_json: bool) -> None:
    if as_json:
        import orjson

        typer.echo(orjson.dumps(estimate.as_json()))
        return
    typer.echo(
        f"{estimate.threads} threads to export, {estimate.skipped} in the archive already: about {estimate.requests} "
        f"requests, {estimate.seconds:.0f} s, {estimate.bytes / 1e6:.1f} MB, without files (from a sample of "
        f"{estimate.sample} threads and {estimate.sample_requests} requests). Nothing was written."
    )


def _print_report(report: ExportReport, out: Path, *, as_json: bool) -> None:
    from threadbridge_migrate.archive.reader import Part, summarise

    if as_json:
        import orjson

        typer.echo(orjson.dumps({"out": str(out), **report.as_json()}))
    else:
        typer.echo(summarise(out))
        typer.echo(
            f"This export: {report.exported} exported, {report.skipped} skipped, {report.failed} failed, "
            f"in {report.seconds:.1f} s"
        )
    if report.trouble:
        typer.echo(f"migrate: {'Stopped early. ' if report.stopped else ''}{report.trouble}", err=True)
    if report.failures:
        kinds = ", ".join(f"{count} with status {status}" for status, count in report.failures.items())
        typer.echo(
            f"migrate: {sum(report.failures.values())} could not be exported ({kinds}); "
            f"see {out / Part.ERRORS.filename}. Run the same command again to retry them.",
            err=True,
        )
    elif report.succeeded and not report.changed_archive:
        typer.echo(f"migrate: {out} is already complete.", err=True)
