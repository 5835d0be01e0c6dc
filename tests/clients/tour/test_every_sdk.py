"""The same tour, and the classic programs, with every SDK people have. `.ci/clients` makes what they need."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from tests.clients.tour.tour_runners import (
    NODE_PROGRAMS,
    NODE_TRANSCRIPTS,
    ROOT,
    find_node,
    load_expected,
    run_node_tour,
    run_python_tour,
)
from tests.examples.example_programs import PROGRAMS, read_question, read_transcript, run_command, run_program
from tests.gateway_process import serve_gateway

pytestmark = pytest.mark.every_sdk

#: Environments, each with nothing but one version of the SDK: 1.109, the newest 2.x, the newest 3.x.
PYTHONS = ("openai1", "openai2", "openai3")


@pytest.fixture(scope="module")
def url() -> Generator[str]:
    with serve_gateway("--simulate", "--store", ":memory:") as url:
        yield url


@pytest.fixture(params=PYTHONS)
def python(request: pytest.FixtureRequest) -> str:
    interpreter = ROOT / ".venvs" / request.param / "bin/python"
    if not interpreter.exists():
        pytest.skip(f"the environment {request.param} is not there: .ci/clients makes it")
    return str(interpreter)


@pytest.fixture
def javascript() -> str:
    if not (NODE_PROGRAMS / "node_modules/openai").exists():
        pytest.skip("the SDK for Node is not there: .ci/clients installs it where npm is")
    return find_node()


@pytest.mark.parametrize("options", [(), ("--async",)], ids=["sync", "async"])
def test_the_tour_tells_the_same_with_every_sdk(python: str, options: tuple[str, ...], url: str) -> None:
    told = run_python_tour(url, *options, python=python)

    assert told == load_expected()


@pytest.mark.parametrize("options", [(), ("--async",)], ids=["sync", "async"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_classic_program_prints_the_same_with_every_sdk(
    program: str, python: str, options: tuple[str, ...], url: str
) -> None:
    printed = run_program(program, url, *options, python=python)

    assert printed == read_transcript(program)


@pytest.mark.usefixtures("javascript")
def test_the_tour_tells_the_same_with_nodes_sdk(url: str) -> None:
    told = run_node_tour(url)

    assert told == load_expected(own_folder=NODE_TRANSCRIPTS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_classic_program_runs_on_nodes_sdk(program: str, javascript: str, url: str) -> None:
    source = NODE_PROGRAMS / "examples" / f"{program}.mjs"

    printed = run_command(javascript, str(source), read_question(program), url=url)

    assert printed == (NODE_PROGRAMS / "transcripts" / f"{program}.txt").read_text()
