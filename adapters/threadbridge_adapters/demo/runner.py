"""The demo, scene by scene."""

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
from threadbridge_adapters.demo.programs import PROGRAMS, transcript
from threadbridge_adapters.gateway import running_gateway, running_simulator

#: Any key will do: the demo's services listen on loopback and check none.
_KEY = SecretStr("demo")


def show(console: Console, *, live: bool) -> None:
    """Run the four programs on both backends, and export what they made. Raises BridgeError if anything differs."""
    began = time.monotonic()
    with TemporaryDirectory(prefix="threadbridge-demo-") as folder, _upstream(console, live=live) as upstream:
        settings = Settings(store=f"sqlite:///{folder}/threads.db", upstream=upstream)
        with running_gateway(settings) as url:
            _say(console, f"gateway on {url} speaks the Assistants API")
            first = _play(console, url, live=live)
            _compare(console, url, first, live=live)
            _export(console, url, Path(folder) / "archive")
    _say(console, f"done in {time.monotonic() - began:.0f} s")


@contextmanager
def _upstream(console: Console, *, live: bool) -> Iterator[UpstreamSettings]:
    if live:
        _say(console, "upstream is the real Responses API")
        yield UpstreamSettings()
        return
    with running_simulator() as url:
        _say(console, f"simulator on {url} stands in for the Responses API")
        yield UpstreamSettings(base_url=url, api_key=_KEY)


def _play(console: Console, url: str, *, live: bool) -> Mapping[str, str]:
    transcripts: dict[str, str] = {}
    for program in PROGRAMS:
        transcripts[program.name] = transcript(program, url, live=live)
        console.rule(f"[bold]{program.name}.py[/bold]: {program.about}", align="left")
        _print(console, transcripts[program.name])
    console.rule()
    return transcripts


def _compare(console: Console, url: str, expected: Mapping[str, str], *, live: bool) -> None:
    """The same programs once more, with `backend = "assistants"`: the first gateway taken for a legacy service."""
    legacy = Settings(backend="assistants", assistants=AssistantsSettings(base_url=url, api_key=_KEY))
    with running_gateway(legacy) as second_url:
        _say(console, f'gateway on {second_url} with backend = "assistants" talks to the first as to a legacy service')
        for program in PROGRAMS:
            same = transcript(program, second_url, live=live) == expected[program.name]
            _say(console, f"{program.name}.py on backend assistants: {_verdict(same=same, live=live)}")
            if not same and not live:
                raise BridgeError(f"{program.name}.py printed something else on the assistants backend.")


def _verdict(*, same: bool, live: bool) -> str:
    if same:
        return "the same transcript"
    return "ran (a real model words things differently each time)" if live else "ANOTHER transcript"


def _export(console: Console, url: str, archive: Path) -> None:
    """`migrate export-threads`, with the gateway as the source that lists its threads."""
    command = ["migrate", "export-threads", "--base-url", url, "--set", "assistants.list_threads=true"]
    _say(console, f"threadbridge {' '.join([*command, '--out', 'archive/'])}")
    done = subprocess.run(  # noqa: S603  our own command, on this very interpreter
        [sys.executable, "-m", "threadbridge_adapters.cli", *command, "--out", str(archive)],
        env={**os.environ, "THREADBRIDGE_ASSISTANTS__API_KEY": _KEY.get_secret_value()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise BridgeError(f"The export failed: {done.stderr.strip()}")
    _print(console, done.stdout.replace(str(archive), "archive/"))


def _print(console: Console, words: str) -> None:
    console.print(words.rstrip(), markup=False, highlight=False, soft_wrap=True)


def _say(console: Console, words: str) -> None:
    console.print(f"→ {words}", style="cyan", markup=False, highlight=False, soft_wrap=True)
