"""The tree of subcommands. Large packages are imported only when a command runs, so that `--help` is fast."""

from __future__ import annotations

import sys

import typer

from threadbridge_migrate.cli import (
    archive_schema,
    assistants,
    audit,
    check,
    convert,
    export_threads,
    import_dump,
    load,
    mirror,
    rewrite,
    summary,
    verify,
)

app = typer.Typer(
    name="migrate",
    help="Take threads out of a service, bring them in, and prove that nothing was lost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("export-threads", epilog=export_threads.EXIT_CODES)(export_threads.export_threads)
app.add_typer(assistants.app, name="assistants")
app.command("audit", epilog=audit.EXIT_CODES)(audit.audit)
app.command("check", epilog=check.EXIT_CODES)(check.check)
app.command("convert", epilog=convert.EXIT_CODES)(convert.convert)
app.command("import-dump", epilog=import_dump.EXIT_CODES)(import_dump.import_dump)
app.command("load", epilog=load.EXIT_CODES)(load.load)
app.command("mirror", epilog=mirror.EXIT_CODES)(mirror.mirror)
app.command("archive-schema", epilog=archive_schema.EXIT_CODES)(archive_schema.archive_schema)
app.command("verify", epilog=verify.EXIT_CODES)(verify.verify)
app.command("rewrite", epilog=rewrite.EXIT_CODES)(rewrite.rewrite)
app.command("summary", epilog=summary.EXIT_CODES)(summary.summary)


@app.callback()
def _group() -> None:
    """Take threads out of a service, bring them in, and prove that nothing was lost."""


def main() -> None:
    """The script `migrate`."""
    try:
        app()
    except KeyboardInterrupt:  # while modules are imported
        sys.exit(130)
