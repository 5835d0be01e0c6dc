"""LiteLLM's proxy in its own environment, for comparison with the gateway.

It passes `/v1/responses` through to a provider of type openai, with all features off that would cost time: no
database, no logging, no callbacks.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from benchmarks._processes import ROOT, Server, stop_process

PYTHON = ROOT / ".venvs" / "litellm" / "bin" / "python"
REQUIREMENT = "litellm[proxy]>=1.80"
INSTALL_SECONDS = 900
READY_SECONDS = 120.0
KEY = "sk-benchmark"
MODEL = "gpt-4o"
_ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no download of prices at startup
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "ERROR",
    "LITELLM_MASTER_KEY": KEY,
    "NO_DOCS": "True",
}
_CONFIG = """\
model_list:
  - model_name: {model}
    litellm_params:
      model: openai/{model}
      api_base: {url}
      api_key: {key}
litellm_settings:
  telemetry: false
"""


class LiteLLMUnavailable(Exception):
    """LiteLLM could not be installed or started; the message has the reason."""


def install() -> None:
    """Create the environment if it does not exist."""
    if PYTHON.exists() and _is_importable():
        return
    print("installing LiteLLM into .venvs/litellm (once, about a minute)", file=sys.stderr)
    try:
        _run_command([sys.executable, "-m", "venv", str(PYTHON.parents[1])])
        _run_command([str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", REQUIREMENT])
    except subprocess.CalledProcessError as error:
        raise LiteLLMUnavailable(f"LiteLLM cannot be installed here: {error.stderr[-500:]}") from error
    except subprocess.TimeoutExpired as error:
        raise LiteLLMUnavailable(f"LiteLLM cannot be installed here: {error}") from error


def read_version() -> str:
    """The version of the measured LiteLLM."""
    code = "import importlib.metadata as m; print(m.version('litellm'))"
    return subprocess.run([str(PYTHON), "-c", code], check=True, capture_output=True, text=True).stdout.strip()


def _is_importable() -> bool:
    code = "import importlib.util as u, sys; sys.exit(not (u.find_spec('litellm') and u.find_spec('fastapi')))"
    return subprocess.run([str(PYTHON), "-c", code], check=False).returncode == 0


def _run_command(command: list[str]) -> None:
    subprocess.run(command, check=True, timeout=INSTALL_SECONDS, capture_output=True, text=True)


@contextmanager
def run_proxy(upstream_url: str, directory: Path) -> Generator[Server]:
    """The running proxy in front of `upstream_url`."""
    config = directory / "litellm.yaml"
    config.write_text(_CONFIG.format(model=MODEL, url=upstream_url, key=KEY))
    port = _find_free_port()
    with (directory / "litellm.log").open("w") as log:
        process = subprocess.Popen(
            [str(PYTHON.parent / "litellm"), "--config", str(config), "--host", "127.0.0.1", "--port", str(port)],
            cwd=directory,
            env={**os.environ, **_ENVIRONMENT},
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            text=True,
        )
        try:
            _wait_until_ready(process, port, directory / "litellm.log")
            yield Server(process.pid, f"http://127.0.0.1:{port}/v1")
        finally:
            stop_process(process)


def _find_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _wait_until_ready(process: subprocess.Popen[str], port: int, log: Path) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health/liveliness", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise LiteLLMUnavailable(f"LiteLLM's proxy did not start: {log.read_text()[-500:]}")
