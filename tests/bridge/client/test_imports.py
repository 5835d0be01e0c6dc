from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import threadbridge

#: Seconds of CPU. The goal is 0.35; twice that keeps a loaded machine from failing the test.
IMPORT_SECONDS = 0.7

PROGRAM = """
import sys, time
began = time.process_time()
import threadbridge
took = time.process_time() - began
heavy = {"openai", "sqlalchemy", "httpx", "httpx2", "aiohttp", "starlette", "typer", "pydantic_settings"}
print(took, *sorted(heavy & set(sys.modules)))
"""


def test_importing_is_quick_and_brings_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)

    seconds, *heavy = done.stdout.split()
    assert heavy == []
    assert float(seconds) < IMPORT_SECONDS


def test_everything_public_is_there() -> None:
    missing = [name for name in threadbridge.__all__ if not hasattr(threadbridge, name)]

    assert missing == []


def test_the_synchronous_client_is_what_the_generator_makes_of_the_asynchronous_one() -> None:
    script = Path(__file__).parents[3] / ".ci/unasync.py"

    done = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
