"""Expected exceptions as one sentence on stderr and an exit code, the same for all subcommands."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from enum import IntEnum

import typer


class ExitCode(IntEnum):
    """What a subcommand tells the program that ran it."""

    #: Everything that was asked for is done.
    DONE = 0
    #: Done, but some objects failed, were lost or differ.
    ITEM_ERRORS = 1
    #: Wrong usage or configuration; nothing was changed.
    USAGE = 2
    #: A service rejected the key.
    AUTHENTICATION = 3
    #: The source, the destination, the archive or the disk failed.
    FAILURE = 4
    #: Everything that was asked for had been done before.
    NOTHING_TO_DO = 5
    #: Interrupted; the same command continues.
    INTERRUPTED = 130


@contextmanager
def report_errors() -> Generator[None]:
    """Turn each expected exception into one sentence on stderr and an exit code."""
    from threadbridge.errors import BridgeError, ConfigurationError
    from threadbridge_migrate.errors import affects_whole_source, describe_next_step

    try:
        yield
    except ConfigurationError as error:
        raise _make_exit(ExitCode.USAGE, error.message) from None
    except BridgeError as error:
        message = describe_next_step(error) if affects_whole_source(error) else error.message
        raise _make_exit(select_exit_code(error.status), message) from None
    except OSError as error:
        location = error.filename or "the archive"
        message = f"{location}: {error.strerror or error}; fix this or choose another path."
        raise _make_exit(ExitCode.FAILURE, message) from None
    except KeyboardInterrupt:
        raise _make_exit(ExitCode.INTERRUPTED, "Interrupted; run the same command again to continue.") from None


def select_exit_code(status: int) -> ExitCode:
    """The exit code after an error with this HTTP status ended the command."""
    return ExitCode.AUTHENTICATION if status in (401, 403) else ExitCode.FAILURE


def _make_exit(code: ExitCode, message: str) -> typer.Exit:
    typer.echo(f"migrate: {message}", err=True)
    return typer.Exit(code)
