from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.adapters.loopback_service import LoopbackService, run_loopback_service
from tests.adapters.scripted_backend import ScriptedBackend
from threadbridge_adapters.sdk import openai_clients


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> ScriptedBackend:
    """The backend that every client made in the test opens."""
    scripted = ScriptedBackend()
    monkeypatch.setattr(openai_clients, "open_backend", scripted.open_backend)
    return scripted


@pytest.fixture(scope="module")
def running_service() -> Generator[LoopbackService]:
    with run_loopback_service() as running:
        yield running


@pytest.fixture
def service(running_service: LoopbackService) -> LoopbackService:
    """What answers everything that is not an Assistants request."""
    running_service.requests.clear()
    return running_service
