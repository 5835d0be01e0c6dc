"""`threadbridge simulate`: the Responses simulator in the foreground."""

from __future__ import annotations

from typing import Annotated

import typer

from threadbridge_adapters.cli.serve import print_listening, print_warning, require_gateway
from threadbridge_adapters.server_quirks import ServerQuirk

_DRAIN_SECONDS = 1.0


def simulate(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = 0,
    manner: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=f"Behave like another server; may be repeated: {', '.join(ServerQuirk)}."),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A host name that clients may use in addition to localhost, 127.0.0.1 and [::1]; may be repeated. "
            "Without this option an address that is not loopback accepts every host name.",
        ),
    ] = None,
) -> None:
    """Serve a deterministic simulator of a Responses service, for tests and trials. It is not a model.

    The first line on stdout names the base URL. Exits with code 0 on SIGINT or SIGTERM.
    """
    with require_gateway():
        from threadbridge_adapters import gateway
    from pydantic import TypeAdapter, ValidationError

    from threadbridge.logs import log_to_stderr
    from threadbridge.settings import HostName

    unknown = set(manner or ()) - set(ServerQuirk)
    if unknown:
        raise typer.BadParameter(f"{', '.join(sorted(unknown))}: unknown manner; choose from {', '.join(ServerQuirk)}")
    try:
        hosts = TypeAdapter(list[HostName]).validate_python(allowed_host or [])
    except ValidationError as error:
        raise typer.BadParameter(f"--allowed-host: {error.errors()[0]['msg']}") from None

    log_to_stderr("info")
    if not gateway.is_loopback(host):
        print_warning(f"{host} can be reached from other machines, and the simulator requires no key.")
        hosts = hosts or [gateway.ANY_HOST]
    gateway.serve(
        gateway.open_simulator([ServerQuirk(name) for name in manner or ()], allowed_hosts=hosts),
        host=host,
        port=port,
        drain_seconds=_DRAIN_SECONDS,
        on_listening=print_listening,
    )
