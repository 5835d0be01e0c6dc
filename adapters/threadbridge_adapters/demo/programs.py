"""The four example programs and their prompts in the demo."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from threadbridge.errors import BridgeError

#: Seconds one program may take, also against a real model.
_TIMEOUT_SECONDS: Final = 120


@dataclass(frozen=True, slots=True)
class Program:
    """An unmodified openai SDK program. The simulator follows the script in the prompt (CALL lines and others); with
    a real model the program uses its own question."""

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
    """The output of the program, which runs against this service in a process of its own.

    Raises BridgeError with the program's last line of output if it fails or times out.
    """
    question = [] if live else [program.script]
    environment = {**os.environ, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "demo", "PYTHONWARNINGS": "ignore"}
    try:
        result = subprocess.run(  # noqa: S603  our own programs, on this very interpreter
            [sys.executable, str(_find_program_folder() / f"{program.name}.py"), *question],
            env=environment,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise BridgeError(f"{program.name} did not end within {_TIMEOUT_SECONDS} seconds.") from error
    if result.returncode != 0:
        raise BridgeError(f"{program.name} ended with: {(result.stderr or result.stdout).strip().splitlines()[-1:]}")
    return result.stdout


def _find_program_folder() -> Path:
    """The folder of the programs, in the wheel or in a checkout."""
    wheel_folder = Path(__file__).parent / "programs"
    return wheel_folder if wheel_folder.is_dir() else Path(__file__).parents[3] / "examples"
