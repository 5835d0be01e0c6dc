"""A small dose of every scenario, and the command that gives larger ones."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.reliability import __main__ as command
from tests.reliability.__main__ import SCENARIOS
from tests.reliability.scenario import Evidence, Fault, Scenario

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "reliability.md"

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning"),
    pytest.mark.skipif(sys.platform == "win32", reason="there are neither such signals nor such limits"),
]


@pytest.mark.parametrize("name", [name for name, scenario in SCENARIOS.items() if scenario.dose])
def test_nothing_is_lost_doubled_or_left_unfinished(name: str) -> None:
    scenario = SCENARIOS[name]

    evidence = scenario.collect(scenario.dose, seed=1)

    assert evidence.descriptions == []
    assert evidence.tried == scenario.dose


@pytest.mark.parametrize(("faults", "code"), [(0, 0), (2, 1)])
def test_the_command_prints_the_counts_and_fails_after_a_fault(
    faults: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def perform(evidence: Evidence, size: int, seed: int) -> None:
        evidence.tried += size
        for number in range(faults):
            evidence.report(Fault.LOST, f"message {number} of seed {seed}")

    monkeypatch.setattr(command, "SCENARIOS", {"kills": Scenario("kills", perform, size=7, dose=1)})

    def keep_logging(_: int) -> None:
        """The command silences logs, which other tests read."""

    monkeypatch.setattr("logging.disable", keep_logging)

    returned = command.main(["kills", "--kills", "3", "--seed", "5"])

    out, err = capsys.readouterr()
    header, row = out.splitlines()
    assert returned == code
    assert dict(zip(header.split(), row.split(), strict=True))["lost"] == str(faults)
    assert row.split()[:2] == ["kills", "3"]
    assert err.splitlines() == [f"  lost: message {number} of seed 5" for number in range(faults)]


def test_the_page_has_the_figures_of_every_scenario() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| ")]

    assert [name for name in SCENARIOS if not any(row.startswith(f"| {name} |") for row in rows)] == []
