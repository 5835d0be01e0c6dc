from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.adapters.loopback_service import LoopbackService, run_loopback_service
from tests.adapters.scripted_backend import ScriptedBackend
from threadbridge.settings import GatewaySettings, Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def running_service() -> Generator[LoopbackService]:
    with run_loopback_service() as running:
        yield running


@pytest.fixture
def service(running_service: LoopbackService) -> LoopbackService:
    """The service behind the gateway."""
    running_service.requests.clear()
    return running_service


@pytest.fixture(scope="module")
def running_backend() -> ScriptedBackend:
    return ScriptedBackend()


@pytest.fixture(scope="module")
def url(running_backend: ScriptedBackend, running_service: LoopbackService) -> Generator[str]:
    """An open gateway whose pass-through has no key of its own."""
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("OPENAI_API_KEY", raising=False)
        settings = Settings(
            upstream=UpstreamSettings(base_url=running_service.url), gateway=GatewaySettings(max_body_bytes=100_000)
        )
        with run_gateway_in_thread(settings, open_backend=running_backend.open_backend) as running:
            yield running


@pytest.fixture
def backend(running_backend: ScriptedBackend) -> ScriptedBackend:
    """The backend of that gateway, as if new."""
    running_backend.script = []
    running_backend.produced_events.clear()
    running_backend.stream_closed.clear()
    running_backend.threads.clear()
    running_backend.submitted_bodies.clear()
    return running_backend


@pytest.fixture(scope="module")
def guarded_url(running_service: LoopbackService) -> Generator[str]:
    """A gateway with a key of its own, another one for the service behind, and a parameter of that service."""
    settings = Settings(
        upstream=UpstreamSettings(
            base_url=running_service.url, api_key=SecretStr("sk-upstream"), query={"api-version": "v1"}
        ),
        gateway=GatewaySettings(api_key=SecretStr("tb-0123456789abcdef")),
    )
    with run_gateway_in_thread(settings, open_backend=ScriptedBackend().open_backend) as running:
        yield running
