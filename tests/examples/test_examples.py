"""The three classic programs run unmodified, and give the same transcript whoever answers them.

`questions/` holds what they are asked, written so that the simulator takes it as a script; `transcripts/` what they
must print.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[1] / "examples"
PROGRAMS = ("data_analyst", "agent_loop", "streaming")
SECONDS = 60


def output_of(program: str, url: str, *options: str) -> str:
    """Run the program against a service, as its user would."""
    question = (HERE / "questions" / f"{program}.txt").read_text().rstrip("\n")
    result = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", EXAMPLES / f"{program}.py", *options, question],
        env={"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "any"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


def transcript(program: str) -> str:
    return (HERE / "transcripts" / f"{program}.txt").read_text()


@contextmanager
def served(*options: str, **settings: str) -> Generator[str]:
    """`threadbridge serve` on a free port; gives its base URL."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "THREADBRIDGE_"))}
    command = [str(Path(sys.executable).with_name("threadbridge")), "serve", "--port", "0", *options]
    with subprocess.Popen(command, env=kept | settings, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().removeprefix("Listening on ").strip()
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = tmp_path_factory.mktemp("examples") / "store.db"
    with served("--simulate", "--store", f"sqlite:///{store}") as url:
        yield url


@pytest.fixture(scope="module")
def assistants(responses: str) -> Iterator[str]:
    """The same service, taken for a legacy one by a second gateway in front of it."""
    legacy = {"THREADBRIDGE_ASSISTANTS__BASE_URL": responses, "THREADBRIDGE_ASSISTANTS__API_KEY": "any"}
    with served("--backend", "assistants", **legacy) as url:
        yield url


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_classic_program_runs_on_the_responses_backend(program: str, responses: str) -> None:
    printed = output_of(program, responses)

    assert printed == transcript(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_asynchronous_variant_prints_the_same(program: str, responses: str) -> None:
    printed = output_of(program, responses, "--async")

    assert printed == transcript(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_classic_program_prints_the_same_on_the_assistants_backend(program: str, assistants: str) -> None:
    printed = output_of(program, assistants)

    assert printed == transcript(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_classic_program_does_not_know_us(program: str) -> None:
    source = (EXAMPLES / f"{program}.py").read_text().lower()

    assert "threadbridge" not in source
    assert "simulat" not in source
