"""`migrate rewrite`."""

from __future__ import annotations

import sys
from enum import StrEnum
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from threadbridge_migrate.cli.error_report import ExitCode, report_errors

if TYPE_CHECKING:
    from threadbridge_migrate.audit.rewrite import RewritePlan

EXIT_CODES = (
    "Exit codes: 0 every change is an edit; 1 some work remains for a person, each item is named; 2 wrong usage, no "
    "such path, or the extra is missing; 4 a file could not be read or written; 5 nothing to change."
)
#: Items that are printed.
MAX_PRINTED_ITEMS = 50


class Target(StrEnum):
    """What the code uses afterwards."""

    THREADBRIDGE = "threadbridge"


def rewrite(
    path: Annotated[Path, typer.Argument(help="A folder of source code, or one file.")],
    to: Annotated[Target, typer.Option("--to", help="What the code uses afterwards.")] = Target.THREADBRIDGE,  # noqa: ARG001
    base_url: Annotated[
        str, typer.Option("--base-url", help="The address of the gateway, for code that names OpenAI's.")
    ] = "http://127.0.0.1:8000/v1",
    execute: Annotated[bool, typer.Option("--execute", help="Write the edits. Default: print them as a diff.")] = False,
) -> None:
    """Make the safe edits that lead a program to ThreadBridge, as a diff or, with --execute, in its files.

    Python clients are put into threadbridge.wrap(…) and it is imported; the literal address of OpenAI becomes that of
    the gateway where a program sends requests itself. Only files that the audit finds are edited. What needs a person
    is listed on standard error, and stays as it is. The diff is for git apply; a second run has nothing to do.
    """
    with report_errors():
        if not base_url.startswith(("http://", "https://")):
            from threadbridge_migrate.errors import UsageError

            raise UsageError(f"--base-url {base_url} is not a URL; use one such as http://127.0.0.1:8000/v1.")
        load_libraries()
        from threadbridge_migrate.audit.rewrite import format_diff, plan_rewrite, write_edit

        plan = plan_rewrite(path, base_url=base_url)
        for edit in plan.edits:
            if execute:
                write_edit(edit)
                typer.echo(f"edited {edit.name}")
            else:
                sys.stdout.buffer.write(b"".join(format_diff(edit)))
        sys.stdout.flush()
        _print_remaining(plan, execute=execute)
    if plan.remaining:
        raise typer.Exit(ExitCode.ITEM_ERRORS)
    raise typer.Exit(ExitCode.DONE if plan.edits else ExitCode.NOTHING_TO_DO)


def load_libraries() -> None:
    """Import what the extra brings. Raises UsageError if it is not installed."""
    from threadbridge_migrate.errors import UsageError

    try:
        for name in ("ast_grep_py", "libcst"):
            import_module(name)
    except ImportError:
        raise UsageError("The rewrite needs two parsers: pip install 'threadbridge[audit]'.") from None


def _print_remaining(plan: RewritePlan, *, execute: bool) -> None:
    for item in plan.remaining[:MAX_PRINTED_ITEMS]:
        typer.echo(f"left {item.name}:{item.position.line}: {item.text}", err=True)
    if len(plan.remaining) > MAX_PRINTED_ITEMS:
        typer.echo(f"and {len(plan.remaining) - MAX_PRINTED_ITEMS} more; migrate audit names them", err=True)
    verb = "edited" if execute else "to edit (--execute writes them)"
    files = f"{len(plan.edits)} file{'' if len(plan.edits) == 1 else 's'}"
    typer.echo(f"{files} {verb}, {len(plan.remaining)} items left for you", err=True)
