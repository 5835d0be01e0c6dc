"""What the commands that serve have in common: the libraries they need, the first line, the warning."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager

import typer

from threadbridge.errors import ConfigurationError

#: The gateway's libraries; a module of ours that is missing is a bug and no matter of extras.
_LIBRARIES = frozenset({"aiohttp", "httptools", "starlette", "uvicorn", "uvloop", "yarl"})


@contextmanager
def require_gateway() -> Generator[None]:
    """Say what to install where the gateway's libraries are missing."""
    try:
        yield
    except ImportError as error:
        if error.name not in _LIBRARIES:
            raise
        raise ConfigurationError(
            f"This command needs the gateway's libraries, of which {error.name} is missing: "
            "pip install 'threadbridge[gateway]'."
        ) from error


def print_listening(url: str) -> None:
    """The first line on stdout, which scripts wait for and read the port from."""
    typer.echo(f"Listening on {url}")
    sys.stdout.flush()


def print_warning(message: str) -> None:
    """Tell the person in front of the terminal."""
    typer.echo(f"Warning: {message}", err=True)
