"""`threadbridge demo`: run example programs without any configuration."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from threadbridge.errors import ConfigurationError
from threadbridge_adapters.cli.serve import require_gateway


def demo(
    live: Annotated[
        bool, typer.Option("--live", help="Use the real Responses API; needs OPENAI_API_KEY and costs a few cents.")
    ] = False,
) -> None:
    """Run four classic Assistants programs on both backends and export their threads.

    Without --live everything runs on this machine, with a simulator of the Responses API.
    """
    if live and not os.environ.get("OPENAI_API_KEY"):
        raise ConfigurationError("--live calls the real service and needs a key: set OPENAI_API_KEY.")
    with require_gateway():
        from threadbridge_adapters.demo import run_demo
    from rich.console import Console

    run_demo(Console(), live=live)
