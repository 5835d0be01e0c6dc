"""Expected exceptions as one sentence on stderr and an exit code."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import typer


@contextmanager
def report_errors() -> Generator[None]:
    """Turn each expected exception into one sentence on stderr and an exit code."""
    from threadbridge.errors import BridgeError, ConfigurationError
    from threadbridge_migrate.errors import affects_whole_source, describe_next_step

    try:
        yield
    except ConfigurationError as error:
        raise _make_exit(2, error.message) from None
    except BridgeError as error:
        raise _make_exit(1, describe_next_step(error) if affects_whole_source(error) else error.message) from None
    except OSError as error:
        location = error.filename or "the archive"
        raise _make_exit(1, f"{location}: {error.strerror or error}; fix this or choose another path.") from None
    except KeyboardInterrupt:
        raise _make_exit(130, "Interrupted; run the same command again to continue.") from None


def _make_exit(code: int, message: str) -> typer.Exit:
    typer.echo(f"migrate: {message}", err=True)
    return typer.Exit(code)
