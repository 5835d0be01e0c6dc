"""Recording and replaying: replaying is the default and meets no network; CONTRIBUTING.md says how to record."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from tests.recorded.backends import BACKENDS
from tests.recorded.cassette_form import MATCH_ON, Serializer, keep_request, keep_response, same_body
from tests.recorded.cassettes import CASSETTES, unplayed
from tests.recorded.conversation import Conversation
from tests.recorded.services import NOBODY, Service, service_to_record
from threadbridge.ports import Backend


def pytest_recording_configure(vcr: Any) -> None:
    vcr.register_serializer("yaml", Serializer)
    vcr.register_matcher("same_body", same_body)


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    return str(CASSETTES / request.path.stem)


@pytest.fixture(scope="session", params=BACKENDS)
def backend_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def service(backend_name: str, record_mode: str) -> Iterator[Service]:
    if record_mode == "none":
        yield NOBODY
        return
    with service_to_record(backend_name) as running:
        yield running


@pytest.fixture
def vcr_config(service: Service) -> dict[str, Any]:
    return {
        "match_on": MATCH_ON,
        "before_record_request": keep_request(service.url, service.written_as),
        "before_record_response": keep_response,
    }


@pytest.fixture(autouse=True)
def every_exchange_is_played(vcr: Any, record_mode: str) -> Iterator[None]:
    yield
    left = unplayed(vcr) if vcr is not None and record_mode == "none" else []
    assert left == [], f"recorded and never asked for: {left}"


@pytest.fixture
async def backend(vcr: Any, backend_name: str, service: Service) -> AsyncIterator[Backend]:
    async with aclosing(await BACKENDS[backend_name](service)) as opened:
        yield opened


@pytest.fixture
async def conversation(backend: Backend, service: Service) -> AsyncIterator[Conversation]:
    opened = Conversation(backend, pause=service.pause)
    await opened.open()
    yield opened
    await opened.close()
