"""One legacy service for all tests here, emptied before each."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.adapters.assistants.settings import make_settings
from tests.legacy_service import LegacyService, LegacyServiceServer
from threadbridge.ports import Backend
from threadbridge_adapters.assistants import open_backend


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


@pytest.fixture
async def backend(service: LegacyService, url: str) -> AsyncIterator[Backend]:
    backend = await open_backend(make_settings(url))
    yield backend
    await backend.aclose()
