"""`threadbridge serve` in a separate process, as an operator starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import IO


@contextmanager
def serve_gateway(
    *options: str, settings: Mapping[str, str] | None = None, log: IO[str] | None = None
) -> Generator[str]:
    """The gateway on a free port; yields its base URL.

    `settings`: environment variables. `log`: the file for stderr.
    """
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))
    }
    command = [sys.executable, "-m", "threadbridge_adapters.cli", "serve", "--port", "0", *options]
    with subprocess.Popen(
        command, env={**environment, **(settings or {})}, stdout=subprocess.PIPE, stderr=log, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("Listening on ").strip()
        finally:
            process.terminate()
