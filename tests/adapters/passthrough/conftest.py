from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import openai
import pytest

from threadbridge.settings import Settings
from threadbridge_adapters.gateway import run_gateway_in_thread
from threadbridge_adapters.sdk import async_openai_client, openai_client


@contextmanager
def _open_gateway_client() -> Generator[openai.OpenAI]:
    with (
        run_gateway_in_thread(Settings(simulate=True)) as url,
        openai.OpenAI(base_url=url, api_key="any", max_retries=0) as opened,
    ):
        yield opened


@contextmanager
def _open_in_process_client() -> Generator[openai.OpenAI]:
    with openai_client(simulate=True, client_options={"max_retries": 0}) as opened:
        yield opened


@asynccontextmanager
async def _open_async_gateway_client() -> AsyncGenerator[openai.AsyncOpenAI]:
    with run_gateway_in_thread(Settings(simulate=True)) as url:
        async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as opened:
            yield opened


@asynccontextmanager
async def _open_async_in_process_client() -> AsyncGenerator[openai.AsyncOpenAI]:
    async with async_openai_client(simulate=True, client_options={"max_retries": 0}) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(params=[_open_gateway_client, _open_in_process_client], ids=["gateway", "in process"])
def client(request: pytest.FixtureRequest, _no_configuration: None) -> Generator[openai.OpenAI]:
    """A client of the openai SDK, whose service is the simulator."""
    with request.param() as made:
        yield made


@pytest.fixture(params=[_open_async_gateway_client, _open_async_in_process_client], ids=["gateway", "in process"])
async def async_client(request: pytest.FixtureRequest, _no_configuration: None) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with request.param() as made:
        yield made
