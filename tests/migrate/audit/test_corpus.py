"""The audit finds the call sites and caveats of the corpus, and nothing in programs that only look alike."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.migrate.audit.corpus_files import Finding, list_projects, write_project
from threadbridge_migrate.audit.call_site import AuditReport
from threadbridge_migrate.audit.scanner import audit

PROJECTS = [(name, each) for name in ("python", "script", "compiled", "dynamic") for each in list_projects(name)]
EXAMPLES = Path(__file__).parents[3] / "examples"


def list_findings(report: AuditReport) -> list[Finding]:
    sites = [(file.path, site.position.line, site.kind) for file in report.files for site in file.call_sites]
    caveats = [(file.path, use.position.line, f"!{use.caveat}") for file in report.files for use in file.caveats]
    return sorted([*sites, *caveats])


@pytest.mark.parametrize(("name", "project"), PROJECTS)
def test_every_call_site_and_caveat_is_found(name: str, project: str, tmp_path: Path) -> None:
    expected = write_project(name, project, tmp_path)

    report = audit(tmp_path)

    assert list_findings(report) == expected


@pytest.mark.parametrize("project", list_projects("look_alikes"))
def test_nothing_is_found_in_programs_that_look_alike(project: str, tmp_path: Path) -> None:
    write_project("look_alikes", project, tmp_path)

    report = audit(tmp_path)

    assert list_findings(report) == []


def test_every_call_site_of_the_examples_is_found() -> None:
    expected = sorted(
        (path.name, number)
        for path in EXAMPLES.glob("*.py")
        for number, line in enumerate(path.read_text().split("\n"), 1)
        if "client.beta." in line
    )

    report = audit(EXAMPLES)

    assert [(path, line) for path, line, _ in list_findings(report)] == expected
    assert len(expected) >= 40
    assert {site.doors for file in report.files for site in file.call_sites} == {("openai_client", "wrap", "gateway")}
