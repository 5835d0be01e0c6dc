"""Runs the steps of the demo."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr
from rich.console import Console

from threadbridge.errors import BridgeError
from threadbridge.settings import AssistantsSettings, Settings, UpstreamSettings
from threadbridge_adapters.demo.programs import PROGRAMS, run_program
from threadbridge_adapters.gateway import run_gateway_in_thread, run_simulator_in_thread

#: Any key works: the demo's services listen on loopback and check none.
_KEY = SecretStr("demo")


def run_demo(console: Console, *, live: bool) -> None:
    """Run the four programs on both backends and export their threads. Raises BridgeError if the outputs differ."""
    start_time = time.monotonic()
    with TemporaryDirectory(prefix="threadbridge-demo-") as folder, _upstream(console, live=live) as upstream:
        settings = Settings(store=f"sqlite:///{folder}/threads.db", upstream=upstream)
        with run_gateway_in_thread(settings) as url:
            _print_status(console, f"gateway on {url} speaks the Assistants API")
            transcripts = _run_programs(console, url, live=live)
            _compare_backends(console, url, transcripts, live=live)
            _export_threads(console, url, Path(folder) / "archive")
    _print_status(console, f"done in {time.monotonic() - start_time:.0f} s")


@contextmanager
def _upstream(console: Console, *, live: bool) -> Iterator[UpstreamSettings]:
    if live:
        _print_status(console, "upstream is the real Responses API")
        yield UpstreamSettings()
        return
    with run_simulator_in_thread() as url:
        _print_status(console, f"simulator on {url} stands in for the Responses API")
        yield UpstreamSettings(base_url=url, api_key=_KEY)


def _run_programs(console: Console, url: str, *, live: bool) -> Mapping[str, str]:
    transcripts: dict[str, str] = {}
    for program in PROGRAMS:
        transcripts[program.name] = run_program(program, url, live=live)
        console.rule(f"[bold]{program.name}.py[/bold]: {program.summary}", align="left")
        _print_output(console, transcripts[program.name])
    console.rule()
    return transcripts


def _compare_backends(console: Console, url: str, expected: Mapping[str, str], *, live: bool) -> None:
    """Run the programs again with `backend = "assistants"` and the first gateway as the legacy service."""
    legacy = Settings(backend="assistants", assistants=AssistantsSettings(base_url=url, api_key=_KEY))
    with run_gateway_in_thread(legacy) as second_url:
        _print_status(
            console, f'gateway on {second_url} with backend = "assistants" talks to the first as to a legacy service'
        )
        for program in PROGRAMS:
            same = run_program(program, second_url, live=live) == expected[program.name]
            _print_status(console, f"{program.name}.py on backend assistants: {_format_verdict(same=same, live=live)}")
            if not same and not live:
                raise BridgeError(f"{program.name}.py printed something else on the assistants backend.")


def _format_verdict(*, same: bool, live: bool) -> str:
    if same:
        return "the same transcript"
    return "completed (a real model's output varies)" if live else "ANOTHER transcript"


def _export_threads(console: Console, url: str, archive: Path) -> None:
    """Run `migrate export-threads` with the gateway as a source that lists its threads."""
    command = ["migrate", "export-threads", "--base-url", url, "--set", "assistants.list_threads=true"]
    _print_status(console, f"threadbridge {' '.join([*command, '--out', 'archive/'])}")
    result = subprocess.run(  # noqa: S603  our own command, on this very interpreter
        [sys.executable, "-m", "threadbridge_adapters.cli", *command, "--out", str(archive)],
        env={**os.environ, "THREADBRIDGE_ASSISTANTS__API_KEY": _KEY.get_secret_value()},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode != 0:
        raise BridgeError(f"The export failed: {result.stderr.strip()}")
    _print_output(console, result.stdout.replace(str(archive), "archive/"))


def _print_output(console: Console, text: str) -> None:
    console.print(text.rstrip(), markup=False, highlight=False, soft_wrap=True)


def _print_status(console: Console, text: str) -> None:
    console.print(f"→ {text}", style="cyan", markup=False, highlight=False, soft_wrap=True)
