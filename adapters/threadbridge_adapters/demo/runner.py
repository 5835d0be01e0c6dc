"""The demo: four example programs run on both backends, and their threads are exported."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from pydantic import SecretStr
from rich.console import Console

from threadbridge.errors import BridgeError
from threadbridge.settings import AssistantsSettings, Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread, run_simulator_in_thread

#: Seconds one program may take, also against a real model.
_TIMEOUT_SECONDS: Final = 120
#: Any key works: the demo's services listen on loopback and check none.
_KEY: Final = SecretStr("demo")
_FOLDER_IN_WHEEL: Final = Path(__file__).parent / "programs"
#: The folder of the programs, in the wheel or in a checkout.
_PROGRAM_FOLDER: Final = _FOLDER_IN_WHEEL if _FOLDER_IN_WHEEL.is_dir() else Path(__file__).parents[3] / "examples"


@dataclass(frozen=True, slots=True)
class Program:
    """An unmodified program for the openai SDK.

    `script` is the prompt for the simulator, which follows its directives (CALL lines and others). With a real model
    the program asks its own question.
    """

    name: str
    summary: str
    script: str


PROGRAMS: Final = (
    Program(
        "data_analyst",
        "assistant, thread, message, create_and_poll",
        'How did revenue develop, and was marketing worth its money?\nCALL column_statistics {"column": "revenue"}\n'
        'CALL column_statistics {"column": "marketing"}\nSAY Revenue grew by 49.5 over the year, well ahead of '
        "marketing.",
    ),
    Program(
        "agent_loop",
        "polling by hand, rounds of parallel calls",
        'Is it warmer in Lisbon or in Oslo? Please book it.\nCALL get_temperature {"city": "Lisbon"}\n'
        'CALL get_temperature {"city": "Oslo"}\nTHEN CALL to_fahrenheit {"celsius": 24}\n'
        'CALL book_trip {"city": "Lisbon"}\nCALL get_temperature {"city": \nSAY Lisbon, at 24 degrees (75.2 '
        "Fahrenheit). Booking does not work yet.",
    ),
    Program(
        "streaming",
        "an event handler that submits from within",
        'When does the library open tomorrow?\nCALL opening_hours {"day": "tomorrow"}\n'
        "SAY Tomorrow from 11 to 16; no need to hurry.",
    ),
    Program(
        "file_search",
        "uploads, a vector store, an attachment; citations and a chart",
        "Which quarter was the best?\nSEARCH best quarter\nPYTHON plot(revenue)\nPRINTS 161.5\nDRAWS revenue.png\n"
        "SAY The fourth, when the shop in Lisbon opened[[1]].",
    ),
)


def run_program(program: Program, base_url: str, *, live: bool) -> str:
    """The output of the program, run in a process of its own with this base URL.

    Raises BridgeError with the program's last line of output if it fails or times out.
    """
    question = [] if live else [program.script]
    environment = {**os.environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "demo", "PYTHONWARNINGS": "ignore"}
    try:
        result = subprocess.run(  # noqa: S603  our own programs, on this very interpreter
            [sys.executable, str(_PROGRAM_FOLDER / f"{program.name}.py"), *question],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BridgeError(f"{program.name} did not end within {_TIMEOUT_SECONDS} seconds.") from error
    if result.returncode != 0:
        last_line = (result.stderr or result.stdout).strip().rpartition("\n")[2]
        raise BridgeError(f"{program.name} failed (exit code {result.returncode}): {last_line}")
    return result.stdout


def run_demo(console: Console, *, live: bool) -> None:
    """Run the four programs on both backends, compare their outputs and export the threads.

    Raises BridgeError if a program fails or its outputs differ.
    """
    start_time = time.monotonic()
    with TemporaryDirectory(prefix="threadbridge-demo-") as folder, _upstream(console, live=live) as upstream:
        settings = Settings(store=f"sqlite:///{folder}/threads.db", upstream=upstream)
        with run_gateway_in_thread(settings) as url:
            _print_status(console, f"the gateway on {url} serves the Assistants API")
            transcripts: dict[str, str] = {}
            for program in PROGRAMS:
                transcripts[program.name] = run_program(program, url, live=live)
                console.rule(f"[bold]{program.name}.py[/bold]: {program.summary}", align="left")
                _print_output(console, transcripts[program.name])
            console.rule()
            _compare_backends(console, url, transcripts, live=live)
            _export_threads(console, url, Path(folder) / "archive")
    _print_status(console, f"finished in {time.monotonic() - start_time:.0f} s")


@contextmanager
def _upstream(console: Console, *, live: bool) -> Iterator[UpstreamSettings]:
    if live:
        _print_status(console, "the upstream is the real Responses API")
        yield UpstreamSettings()
        return
    with run_simulator_in_thread() as url:
        _print_status(console, f"the simulator on {url} replaces the Responses API")
        yield UpstreamSettings(base_url=url, api_key=_KEY)


def _compare_backends(console: Console, url: str, expected: Mapping[str, str], *, live: bool) -> None:
    """Run the programs again through a second gateway, whose legacy service is the first one."""
    legacy = Settings(backend="assistants", assistants=AssistantsSettings(base_url=url, api_key=_KEY))
    with run_gateway_in_thread(legacy) as second_url:
        _print_status(
            console,
            f'the gateway on {second_url} has backend = "assistants" and calls the first one as its legacy service',
        )
        for program in PROGRAMS:
            is_same = run_program(program, second_url, live=live) == expected[program.name]
            if not is_same and not live:
                raise BridgeError(f"{program.name}.py has a different output on the assistants backend.")
            result = "the same output" if is_same else "completed (the output of a real model varies)"
            _print_status(console, f"{program.name}.py on the assistants backend: {result}")


def _export_threads(console: Console, url: str, archive: Path) -> None:
    """Run `migrate export-threads` on the gateway, which can list its threads."""
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
