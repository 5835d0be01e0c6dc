"""`threadbridge serve` in a separate process, as an operator starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import IO


class GatewayProcess:
    """The gateway on a free port, which can be killed and started again on the same port.

    `settings`: environment variables. `log`: the file for stderr.
    """

    def __init__(
        self, *options: str, settings: Mapping[str, str] | None = None, log: IO[str] | int | None = None
    ) -> None:
        self._options = options
        self._settings = settings or {}
        self._log = log
        self._port = "0"
        self.base_url = ""
        self.start()

    def start(self) -> None:
        """Start the process and wait until it accepts requests."""
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))
        }
        command = [sys.executable, "-m", "threadbridge_adapters.cli", "serve", "--port", self._port, *self._options]
        self.process = subprocess.Popen(
            command, env={**environment, **self._settings}, stdout=subprocess.PIPE, stderr=self._log, text=True
        )
        assert self.process.stdout is not None
        self.base_url = self.process.stdout.readline().removeprefix("Listening on ").strip()
        assert self.base_url, "the gateway did not start"
        self._port = self.base_url.removesuffix("/v1").rpartition(":")[2]

    def kill(self) -> None:
        """End the process as `kill -9` does."""
        self.process.send_signal(signal.SIGKILL)
        self._wait()

    def close(self) -> None:
        """End the process as an operator does, if it is still alive."""
        self.process.terminate()
        self._wait()

    def _wait(self) -> None:
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextmanager
def serve_gateway(
    *options: str, settings: Mapping[str, str] | None = None, log: IO[str] | int | None = None
) -> Generator[str]:
    """The base URL of a gateway on a free port, which ends with the context."""
    gateway = GatewayProcess(*options, settings=settings, log=log)
    try:
        yield gateway.base_url
    finally:
        gateway.close()
