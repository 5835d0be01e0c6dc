"""The four classic programs: their input and their expected output.

`questions/` are written so that the simulator takes them as scripts.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
PROGRAMS = ("data_analyst", "agent_loop", "streaming", "file_search")
TIMEOUT_SECONDS = 60


def read_question(program: str) -> str:
    return (HERE / "questions" / f"{program}.txt").read_text().rstrip("\n")


def read_transcript(program: str) -> str:
    return (HERE / "transcripts" / f"{program}.txt").read_text()


def run_program(program: str, url: str, *options: str, python: str = sys.executable) -> str:
    """Run the program with a service, as a user would."""
    source = str(EXAMPLES / f"{program}.py")
    return run_command(python, "-W", "ignore::DeprecationWarning", source, *options, read_question(program), url=url)


def run_command(*command: str, url: str, folder: Path | None = None) -> str:
    """The output of a command with this base URL; fails on another exit code than 0."""
    result = subprocess.run(
        command,
        env={"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "any"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout
