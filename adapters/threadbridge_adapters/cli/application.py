"""The tree of commands. Large packages are imported only when a command runs, so that `--help` is fast."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from threadbridge.runtime.plugins import list_plugin_names, load_plugin
from threadbridge_adapters.cli import cost, demo, doctor, models, serve, simulate


class _PluginCommands(TyperGroup):
    """The built-in commands and those of installed packages (entry point group `threadbridge.commands`)."""

    def list_commands(self, ctx: Any) -> list[str]:
        own = super().list_commands(ctx)
        return [*own, *(name for name in list_plugin_names("commands") if name not in own)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        own = super().get_command(ctx, cmd_name)
        if own is not None or cmd_name not in list_plugin_names("commands"):
            return own
        command = load_plugin("commands", cmd_name, key="command")
        return typer.main.get_command(command) if isinstance(command, typer.Typer) else command


application = typer.Typer(
    name="threadbridge",
    cls=_PluginCommands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Assistants API code keeps running, on the Responses API.",
)
application.command()(demo.demo)
application.command()(serve.serve)
application.command()(simulate.simulate)
application.command()(cost.cost)
application.command()(doctor.doctor)
application.add_typer(models.models)


def _print_version(is_requested: bool) -> None:
    if is_requested:
        typer.echo(version("threadbridge"))
        raise typer.Exit


@application.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Assistants API code keeps running, on the Responses API."""
