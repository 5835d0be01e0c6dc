"""A legacy service as the source of exports, and the command line in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import stamina
from typer.testing import CliRunner, Result

from tests.legacy_service import LegacyService, LegacyServiceServer
from threadbridge_migrate.cli.application import app

Migrate = Callable[..., Result]


@pytest.fixture(scope="package")
def server() -> Iterator[tuple[LegacyService, str]]:
    service = LegacyService()
    with LegacyServiceServer(service) as served:
        yield service, served.url


@pytest.fixture
def service(server: tuple[LegacyService, str]) -> LegacyService:
    server[0].reset()
    return server[0]


@pytest.fixture
def url(server: tuple[LegacyService, str]) -> str:
    return server[1]


@pytest.fixture(autouse=True)
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A working directory without configuration, a key in the environment, no pauses between attempts."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THREADBRIDGE_ASSISTANTS__API_KEY", "sk-test-0123456789")
    with stamina.set_testing(True, attempts=3, cap=True):
        yield


@pytest.fixture
def migrate(url: str) -> Migrate:
    """Runs `migrate export-threads` on the source."""

    def run(*words: str, stdin: str = "", source: str = url) -> Result:
        return CliRunner().invoke(app, ["export-threads", "--base-url", source, *words], input=stdin)

    return run
