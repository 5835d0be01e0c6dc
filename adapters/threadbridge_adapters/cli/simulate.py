"""`threadbridge simulate`: the Responses simulator in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from threadbridge_adapters.cli.server_startup import print_listening, print_warning, require_gateway

_DRAIN_SECONDS = 1.0


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")] = 0,
    manner: Annotated[list[str] | None, typer.Option(help="Behave as another server does; may be repeated.")] = None,
) -> None:
    """Serve a deterministic stand-in for a Responses service, for tests and trials. It is not a model.

    The first line on stdout names the base URL. Ends on SIGINT or SIGTERM with exit code 0.
    """
    with require_gateway():
        from threadbridge_adapters import gateway
    from threadbridge.logs import log_to_stderr
    from threadbridge_adapters.simulator import ServerQuirk

    unknown = set(manner or ()) - set(ServerQuirk)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: no such manner; there are {', '.join(ServerQuirk)}")

    log_to_stderr("info")
    if not gateway.is_loopback(host):
        print_warning(f"{host} can be reached from other machines, and the simulator asks nobody for a key.")
    gateway.serve(
        gateway.open_simulator([ServerQuirk(name) for name in manner or ()]),
        host=host,
        port=port,
        drain_seconds=_DRAIN_SECONDS,
        on_listening=print_listening,
    )
