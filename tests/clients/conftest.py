from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import openai
import pytest

import threadbridge
from tests.clients.client_kinds import Gateway, simulated_gateway
from tests.conformance.schema_check import published_schema as published_schema


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="package")
def gateway() -> Generator[Gateway]:
    with simulated_gateway() as running:
        yield running


@pytest.fixture
def new_client(gateway: Gateway) -> Callable[[], openai.OpenAI]:
    """Makes clients of the gateway."""
    return lambda: openai.OpenAI(base_url=gateway.url, api_key="sk-mine", max_retries=0)


@pytest.fixture(params=["gateway", "in-process"])
def client(request: pytest.FixtureRequest, new_client: Callable[[], openai.OpenAI]) -> Generator[openai.OpenAI]:
    openers: dict[str, Callable[[], openai.OpenAI]] = {
        "gateway": new_client,
        "in-process": lambda: threadbridge.openai_client(simulate=True, store=":memory:"),
    }
    with openers[request.param]() as opened:
        yield opened


@pytest.fixture(params=["gateway", "in-process"])
async def async_client(request: pytest.FixtureRequest, gateway: Gateway) -> AsyncGenerator[openai.AsyncOpenAI]:
    openers: dict[str, Callable[[], openai.AsyncOpenAI]] = {
        "gateway": lambda: openai.AsyncOpenAI(base_url=gateway.url, api_key="sk-mine", max_retries=0),
        "in-process": lambda: threadbridge.async_openai_client(simulate=True, store=":memory:"),
    }
    async with openers[request.param]() as opened:
        yield opened
