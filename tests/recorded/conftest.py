"""Fixtures for recording and replaying.

Replaying is the default and uses no network; CONTRIBUTING.md explains recording.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

import pytest

from tests.recorded.backends import BACKENDS
from tests.recorded.cassette_format import MATCH_ON, Serializer, filter_response, make_request_filter, match_body
from tests.recorded.cassettes import CASSETTES, list_unplayed
from tests.recorded.recording_targets import REPLAY_TARGET, RecordingTarget, open_service_to_record
from tests.recorded.scenario_driver import ScenarioDriver
from threadbridge.ports import Backend


def pytest_recording_configure(vcr: Any) -> None:
    vcr.register_serializer("yaml", Serializer)
    vcr.register_matcher("same_body", match_body)


@pytest.fixture(scope="module")
def vcr_cassette_dir(request: pytest.FixtureRequest) -> str:
    return str(CASSETTES / request.path.stem)


@pytest.fixture(scope="session", params=BACKENDS)
def backend_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def service(backend_name: str, record_mode: str) -> Iterator[RecordingTarget]:
    if record_mode == "none":
        yield REPLAY_TARGET
        return
    with open_service_to_record(backend_name) as running:
        yield running


@pytest.fixture
def vcr_config(service: RecordingTarget) -> dict[str, Any]:
    return {
        "match_on": MATCH_ON,
        "before_record_request": make_request_filter(service.url, service.cassette_url),
        "before_record_response": filter_response,
    }


@pytest.fixture(autouse=True)
def every_exchange_is_played(vcr: Any, record_mode: str) -> Iterator[None]:
    yield
    left = list_unplayed(vcr) if vcr is not None and record_mode == "none" else []
    assert left == [], f"recorded and never asked for: {left}"


@pytest.fixture
async def backend(vcr: Any, backend_name: str, service: RecordingTarget) -> AsyncIterator[Backend]:
    async with aclosing(await BACKENDS[backend_name](service)) as opened:
        yield opened


@pytest.fixture
async def conversation(backend: Backend, service: RecordingTarget) -> AsyncIterator[ScenarioDriver]:
    opened = ScenarioDriver(backend, poll_interval=service.poll_interval)
    await opened.open()
    yield opened
    await opened.close()
