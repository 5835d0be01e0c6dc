from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import openai
import pytest

from threadbridge.settings import Settings
from threadbridge_adapters.gateway import running_gateway
from threadbridge_adapters.sdk import async_openai_client, openai_client


@contextmanager
def _through_the_gateway() -> Generator[openai.OpenAI]:
    with (
        running_gateway(Settings(simulate=True)) as url,
        openai.OpenAI(base_url=url, api_key="any", max_retries=0) as made,
    ):
        yield made


@contextmanager
def _in_process() -> Generator[openai.OpenAI]:
    with openai_client(simulate=True, client_options={"max_retries": 0}) as made:
        yield made


@asynccontextmanager
async def _through_the_gateway_asynchronously() -> AsyncGenerator[openai.AsyncOpenAI]:
    with running_gateway(Settings(simulate=True)) as url:
        async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as made:
            yield made


@asynccontextmanager
async def _in_process_asynchronously() -> AsyncGenerator[openai.AsyncOpenAI]:
    async with async_openai_client(simulate=True, client_options={"max_retries": 0}) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[_through_the_gateway, _in_process], ids=["gateway", "in process"])
def client(request: pytest.FixtureRequest, _no_configuration: None) -> Generator[openai.OpenAI]:
    """A client of the openai SDK, whose service is the simulator."""
    with request.param() as made:
        yield made


@pytest.fixture(params=[_through_the_gateway_asynchronously, _in_process_asynchronously], ids=["gateway", "in process"])
async def async_client(request: pytest.FixtureRequest, _no_configuration: None) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with request.param() as made:
        yield made
