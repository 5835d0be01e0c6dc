"""`threadbridge serve`: the gateway in the foreground; and the startup that the commands which serve share."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from threadbridge.errors import ConfigurationError

#: The gateway's libraries; any other missing module is a bug and not a missing extra.
_LIBRARIES = frozenset({"aiohttp", "httptools", "starlette", "uvicorn", "uvloop", "yarl"})


@contextmanager
def require_gateway() -> Generator[None]:
    """Raise ConfigurationError with the install command if one of the gateway's libraries is missing."""
    try:
        yield
    except ImportError as error:
        if error.name not in _LIBRARIES:
            raise
        raise ConfigurationError(
            f"This command needs the gateway's libraries, but {error.name} is not installed: "
            "pip install 'threadbridge[gateway]'."
        ) from error


def print_listening(url: str) -> None:
    """Print the first line on stdout, from which scripts read the port."""
    typer.echo(f"Listening on {url}")
    sys.stdout.flush()


def print_warning(message: str) -> None:
    """Print a warning on stderr."""
    typer.echo(f"Warning: {message}", err=True)


_LogLevel = Literal["debug", "info", "warning", "error"]


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; anything but loopback needs a key.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses a free one.")] = None,
    store: Annotated[str | None, typer.Option(metavar="URL", help="Store that holds the threads, or :memory:.")] = None,
    upstream: Annotated[
        str | None, typer.Option(metavar="URL", help="Base URL of the upstream service.", show_default=False)
    ] = None,
    simulate: Annotated[bool, typer.Option("--simulate", help="Use the built-in simulator as upstream.")] = False,
    backend: Annotated[str | None, typer.Option(help="responses, assistants, or an installed one's name.")] = None,
    assistants: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Directory of assistants, a TOML file each, served under their ids."),
    ] = None,
    sync_assistants: Annotated[
        bool,
        typer.Option("--sync-assistants", help="Let requests change the declared assistants, until the next start."),
    ] = False,
    log_level: Annotated[_LogLevel, typer.Option(help="Log level on stderr; info: one line per request.")] = "warning",
) -> None:
    """Serve the Assistants API over HTTP, and pass every other request through to the upstream service.

    Unset options are read from THREADBRIDGE_* variables and threadbridge.toml, then from the defaults. The first line
    on stdout names the base URL. On SIGINT or SIGTERM the server finishes running requests and exits with code 0.
    """
    if simulate and upstream is not None:
        raise typer.BadParameter("--simulate and --upstream exclude each other: use one of them")
    with require_gateway():
        from threadbridge_adapters import gateway
    from threadbridge.logs import log_to_stderr
    from threadbridge.runtime.settings_loader import load_settings, reject_secret_argument

    reject_secret_argument("--upstream", "upstream.base_url", upstream)
    arguments: dict[str, object] = {
        "backend": backend,
        "store": store,
        "simulate": simulate or None,
        "gateway": {"host": host, "port": port},
    }
    declared: dict[str, object] = {
        "directory": assistants and str(assistants),
        "declared_mode": "sync" if sync_assistants else None,
    }
    service = "assistants" if load_settings(**arguments).backend == "assistants" else "upstream"
    sections: dict[str, dict[str, object]] = {"assistants": declared}
    sections.setdefault(service, {})["base_url"] = upstream
    settings = load_settings(**arguments, **sections)
    address = settings.gateway.host
    if not gateway.is_loopback(address):
        if settings.gateway.api_key is None:
            raise ConfigurationError(
                f"{address} can be reached from other machines, so clients must present a key: "
                "set THREADBRIDGE_GATEWAY__API_KEY, or gateway.api_key in threadbridge.toml."
            )
        print_warning(
            f"{address} can be reached from other machines; anyone with the key can read and write every thread."
        )
    log_to_stderr(log_level)
    gateway.serve(
        gateway.open_gateway(settings),
        host=address,
        port=settings.gateway.port,
        drain_seconds=settings.limits.drain_seconds,
        on_listening=print_listening,
        limits=gateway.get_connection_limits(settings),
    )
