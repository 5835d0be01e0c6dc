"""A refused request says why in the service's envelope, and changes nothing: not one row of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import orjson
import pytest
import pytest_asyncio

from tests.conformance.faulty_requests import (
    BODY_FAULTS,
    MALFORMED_ID_FAULTS,
    PAGING_FAULTS,
    STATE_FAULTS,
    TRANSPORT_FAULTS,
    UNKNOWN_ID_FAULTS,
    FaultyRequest,
)
from tests.emulated_service import WEATHER, EmulatedService, get_required_calls, open_service
from tests.stored_objects import get_driver
from threadbridge.ports import Session

pytestmark = pytest.mark.asyncio(loop_scope="module")


class World(NamedTuple):
    """A service in which a run has ended, another waits for tool outputs, and a third thread is empty."""

    service: EmulatedService
    ids: Mapping[str, str]

    async def refuse(self, fault: FaultyRequest) -> tuple[int, Any]:
        """The refusal, in which nothing but the text is free."""
        body = fault.body if isinstance(fault.body, bytes) else self._filled(fault.body)
        path = fault.path.format_map(self.ids)
        response = await self.service.send(fault.method, path, body, query=fault.query, headers=fault.headers)
        assert isinstance(response.body, bytes), "a refusal is no stream"
        return response.status, orjson.loads(response.body)

    def _filled(self, body: Any) -> bytes:
        written = orjson.dumps(body)
        for name, id_ in self.ids.items():
            written = written.replace(f"<{name}>".encode(), id_.encode())
        return written

    async def dump(self) -> list[str]:
        """Every row of the store."""
        return await self.service.store.read(_dumped, tenant="default")


def _dumped(session: Session) -> list[str]:
    return list(get_driver(session).iterdump())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One for all: refusals leave it as it is, or the next test's dump would tell."""
    async with open_service() as service:
        ended = await service.run_to_rest("Hello")
        waiting = await service.run_to_rest("CALL get_weather {}", tools=[WEATHER])
        ids = {
            "assistant": ended["assistant_id"],
            "thread": ended["thread_id"],
            "message": (await service.list_messages(ended))[0]["id"],
            "run": ended["id"],
            "step": (await service.list_steps(ended))[0]["id"],
            "busy": waiting["thread_id"],
            "waiting": waiting["id"],
            "call": get_required_calls(waiting)[0]["id"],
            "empty": await service.create_thread(),
        }
        yield World(service, ids)


async def assert_refused(world: World, fault: FaultyRequest) -> None:
    before = await world.dump()

    status, body = await world.refuse(fault)

    said = body["error"]["message"]
    text = fault.message.format_map(world.ids)
    expected = said if text.endswith("...") and said.startswith(text[:-3]) else text
    assert status == fault.status
    assert body == {
        "error": {"message": expected, "type": "invalid_request_error", "param": fault.param, "code": fault.code}
    }
    assert list(body["error"]) == ["message", "type", "param", "code"]
    assert await world.dump() == before


@pytest.mark.parametrize("fault", BODY_FAULTS.values(), ids=BODY_FAULTS)
async def test_a17_a18_a29_a_fault_in_a_body_is_named(world: World, fault: FaultyRequest) -> None:
    await assert_refused(world, fault)


@pytest.mark.parametrize("fault", PAGING_FAULTS.values(), ids=PAGING_FAULTS)
async def test_a13_a_page_out_of_range_is_refused(world: World, fault: FaultyRequest) -> None:
    await assert_refused(world, fault)


@pytest.mark.parametrize("fault", UNKNOWN_ID_FAULTS.values(), ids=UNKNOWN_ID_FAULTS)
async def test_a15_an_id_that_is_not_there_is_a_404(world: World, fault: FaultyRequest) -> None:
    await assert_refused(world, fault)


@pytest.mark.parametrize("fault", MALFORMED_ID_FAULTS.values(), ids=MALFORMED_ID_FAULTS)
async def test_a16_an_id_that_cannot_be_is_a_400_before_anything_is_looked_for(
    world: World, fault: FaultyRequest
) -> None:
    await assert_refused(world, fault)


@pytest.mark.parametrize("fault", TRANSPORT_FAULTS.values(), ids=TRANSPORT_FAULTS)
async def test_a2_a3_a_request_that_cannot_be_read_is_refused_in_the_envelope(
    world: World, fault: FaultyRequest
) -> None:
    await assert_refused(world, fault)


@pytest.mark.parametrize("fault", STATE_FAULTS.values(), ids=STATE_FAULTS)
async def test_a57_a63_a69_what_the_state_of_a_run_forbids_is_refused(world: World, fault: FaultyRequest) -> None:
    await assert_refused(world, fault)
