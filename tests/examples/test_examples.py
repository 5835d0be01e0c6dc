"""The four classic programs run unmodified, and give the same transcript whoever answers them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.examples.programs import EXAMPLES, PROGRAMS, output_of, transcript
from tests.served import served


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = tmp_path_factory.mktemp("examples") / "store.db"
    with served("--simulate", "--store", f"sqlite:///{store}") as url:
        yield url


@pytest.fixture(scope="module")
def assistants(responses: str) -> Iterator[str]:
    """The same service, taken for a legacy one by a second gateway in front of it."""
    legacy = {"THREADBRIDGE_ASSISTANTS__BASE_URL": responses, "THREADBRIDGE_ASSISTANTS__API_KEY": "any"}
    with served("--backend", "assistants", settings=legacy) as url:
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
