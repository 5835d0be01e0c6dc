"""`threadbridge demo`: see it work, with nothing set up."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from threadbridge.errors import ConfigurationError
from threadbridge_adapters.cli.server_startup import require_gateway


def demo(
    live: Annotated[
        bool, typer.Option("--live", help="Ask the real Responses API; needs OPENAI_API_KEY and costs a few cents.")
    ] = False,
) -> None:
    """Run four classic Assistants programs on both backends and export their threads.

    Without --live everything happens on this machine: a simulator stands in for the Responses API.
    """
    if live and not os.environ.get("OPENAI_API_KEY"):
        raise ConfigurationError("--live asks the real service and needs a key: set OPENAI_API_KEY.")
    with require_gateway():
        from threadbridge_adapters.demo import run_demo
    from rich.console import Console

    run_demo(Console(), live=live)
