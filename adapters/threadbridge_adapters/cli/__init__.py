"""The `threadbridge` command. Each command is a module here; other packages add commands by entry point."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. The exit code is 0, 1 (failure), 2 (wrong usage or configuration) or 130 (interrupted)."""
    try:
        # Imported here, because an interruption of the imports has an exit code too.
        from threadbridge.errors import BridgeError, ConfigurationError
        from threadbridge_adapters.cli.application import application

        try:
            application()
        except BridgeError as error:
            print(f"Error: {error.message}", file=sys.stderr)  # noqa: T201 - a message for the user, not a log line
            sys.exit(2 if isinstance(error, ConfigurationError) else 1)
    except KeyboardInterrupt:
        sys.exit(130)
