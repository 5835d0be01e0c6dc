"""A parameter that a model refused is left out by the next process too, until it is old."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.asgi_server import serve_app
from tests.bridge.engine.backend_process import BackendProcess, has_status, queue_run, wait_until
from tests.emulated_service import get_last_error
from tests.manual_clock import ManualClock
from threadbridge.api_types import RunObject
from threadbridge.engine.backend import ResponsesBackend
from threadbridge.engine.recovery import ParameterRejectionRegistry, load_parameter_rejections
from threadbridge.ports import ParameterRejection, Store
from threadbridge.runtime.clock_and_ids import SystemClock
from threadbridge.settings import Settings
from threadbridge_adapters.composition import open_backend
from threadbridge_adapters.simulator import Scenario, ServerQuirk, ServiceError, Simulator, app
from threadbridge_adapters.stores import open_store


@asynccontextmanager
async def process(folder: Path, simulator: Simulator, url: str) -> AsyncGenerator[BackendProcess]:
    """One life of a process on the folder's store. The settings are wrong about o3: it takes no temperature."""
    settings = {
        "store": f"sqlite:///{folder / 'threads.db'}",
        "upstream": {"base_url": f"{url}/v1", "api_key": "sk-test-key", "max_retries": 0},
        "models": {"mine": {"model": "o3", "sampling": True}},
    }
    backend = await open_backend(Settings.model_validate(settings))
    assert isinstance(backend, ResponsesBackend)
    try:
        yield BackendProcess(backend, simulator)
    finally:
        await backend.aclose()


async def warm_run(life: BackendProcess) -> RunObject:
    run = await queue_run(life, "Hi", model="mine", temperature=0.5)
    return await wait_until(life, run, has_status("completed", "failed"))


@pytest.mark.parametrize("manners", [(), (ServerQuirk.DETAIL_ERRORS,), (ServerQuirk.TERSE_ERRORS,)])
async def test_the_next_process_knows_what_was_refused_in_whatever_words(
    tmp_path: Path, manners: tuple[ServerQuirk, ...]
) -> None:
    simulator = Simulator(quirks=manners)
    async with serve_app(app(simulator)) as url:
        async with process(tmp_path, simulator, url) as first:
            learned = await warm_run(first)
        async with process(tmp_path, simulator, url) as second:
            known = await warm_run(second)

    assert (learned["status"], known["status"]) == ("completed", "completed")
    assert ["temperature" in request.body for request in simulator.requests] == [True, False, False]


async def test_a_request_that_is_refused_anyway_teaches_nothing(tmp_path: Path) -> None:
    refused = [
        ServiceError("Unsupported parameter.", param="temperature"),
        ServiceError("There is more.", param="input"),
    ]
    simulator = Simulator(Scenario(error=error) for error in [*refused, ServiceError("And more.", param="model")])
    async with serve_app(app(simulator)) as url:
        async with process(tmp_path, simulator, url) as life:
            failed = await warm_run(life)
        store = await open_store(f"sqlite:///{tmp_path / 'threads.db'}")
        kept = await store.read(
            lambda session: session.list_parameter_rejections(f"{url[len('http://') :]}/v1"), tenant="default"
        )
        await store.aclose()

    assert (failed["status"], len(simulator.requests)) == ("failed", 3)  # the last one without what is optional
    assert "There is more." in get_last_error(failed)["message"]
    assert kept == []


SETTINGS = Settings.model_validate({"limits": {"refusal_seconds": 60}})


@pytest.fixture
async def store() -> AsyncGenerator[Store]:
    opened = await open_store(":memory:")
    yield opened
    await opened.aclose()


async def test_what_was_refused_long_ago_is_sent_again(store: Store) -> None:
    clock = ManualClock()
    refusals = ParameterRejectionRegistry(SETTINGS, store, clock)
    refusals.learn("o3", {"temperature"})

    before = refusals.list_rejected_parameters("o3")
    clock.advance(60)

    assert before == {"temperature"}
    assert refusals.list_rejected_parameters("o3") == frozenset()


async def test_what_is_kept_is_recalled_for_its_service_alone(store: Store) -> None:
    refusals = ParameterRejectionRegistry(SETTINGS, store, ManualClock(4e9), service="here/v1")

    await refusals.save(SETTINGS.tenant, refusals.learn("o3", {"temperature"}))

    here = await load_parameter_rejections(SETTINGS, store, SystemClock(), service="here/v1")
    there = await load_parameter_rejections(SETTINGS, store, SystemClock(), service="there/v1")
    assert here.list_rejected_parameters("o3") == {"temperature"}
    assert there.list_rejected_parameters("o3") == frozenset()


async def test_a_store_that_cannot_be_written_costs_no_run(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    await store.aclose()
    refusals = ParameterRejectionRegistry(SETTINGS, store, ManualClock())

    await refusals.save(SETTINGS.tenant, [ParameterRejection("o3", "top_p", 1.0)])

    assert "refused parameters could not be remembered" in caplog.text
