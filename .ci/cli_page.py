"""Write docs/cli.md from the commands' own help. With --check, only say whether the page is what it would be."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from threadbridge_adapters.cli import application as threadbridge_app
from threadbridge_migrate.cli import app as migrate_app

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
WIDTH = 100
HEAD = """\
# Command line

<!-- Written by .ci/cli_page.py from the commands' own help. Change them, not this page. -->

Data goes to stdout, words to stderr. The exit code is 0, 1 (it failed) or 2 (wrong usage). Settings that have no option
are read as [configuration.md](configuration.md) says.
"""


def commands(command: Any, parent: Any, name: str) -> Iterator[tuple[str, str]]:
    """Each command's full name and help, parents first. Commands of other packages have their own script's section."""
    widths = {"terminal_width": WIDTH, "max_content_width": WIDTH}
    context = command.context_class(command, info_name=name, parent=parent, **{**command.context_settings, **widths})
    formatter = context.make_formatter()
    command.format_usage(context, formatter)
    command.format_help_text(context, formatter)
    command.format_options(context, formatter)
    command.format_epilog(context, formatter)
    yield context.command_path, formatter.getvalue().rstrip()
    for child in sorted(getattr(command, "commands", {})):
        yield from commands(command.commands[child], context, child)


def page() -> str:
    """The page."""
    parts = [HEAD]
    for script, app in (("threadbridge", threadbridge_app), ("migrate", migrate_app)):
        for name, words in commands(typer.main.get_command(app), None, script):
            parts.append(f"{'#' * (2 + (' ' in name))} {name}\n\n```text\n{words}\n```\n")
    return "\n".join(parts)


def main() -> int:
    """Write or check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where the page is out of date")
    if not parser.parse_args().check:
        PAGE.write_text(page())
        return 0
    if PAGE.exists() and PAGE.read_text() == page():
        return 0
    print(f"{PAGE.name} is out of date; run .ci/cli_page.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
