"""Startup shared by the commands that serve: required libraries, the first line on stdout, warnings."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

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
