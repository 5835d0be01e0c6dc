"""The four classic programs run unmodified, with the same transcript on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.examples.example_programs import EXAMPLES, PROGRAMS, read_transcript, run_program
from tests.gateway_process import serve_gateway


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = tmp_path_factory.mktemp("examples") / "store.db"
    with serve_gateway("--simulate", "--store", f"sqlite:///{store}") as url:
        yield url


@pytest.fixture(scope="module")
def assistants(responses: str) -> Iterator[str]:
    """A second gateway that uses the first one as its legacy service."""
    legacy = {"THREADBRIDGE_ASSISTANTS__BASE_URL": responses, "THREADBRIDGE_ASSISTANTS__API_KEY": "any"}
    with serve_gateway("--backend", "assistants", settings=legacy) as url:
        yield url


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_classic_program_runs_on_the_responses_backend(program: str, responses: str) -> None:
    printed = run_program(program, responses)

    assert printed == read_transcript(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_asynchronous_variant_prints_the_same(program: str, responses: str) -> None:
    printed = run_program(program, responses, "--async")

    assert printed == read_transcript(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_classic_program_prints_the_same_on_the_assistants_backend(program: str, assistants: str) -> None:
    printed = run_program(program, assistants)

    assert printed == read_transcript(program)


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_classic_program_does_not_import_threadbridge(program: str) -> None:
    source = (EXAMPLES / f"{program}.py").read_text().lower()

    assert "threadbridge" not in source
    assert "simulat" not in source
