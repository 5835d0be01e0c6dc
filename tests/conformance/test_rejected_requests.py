"""A rejected request gets the error envelope and changes no row of the store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

import orjson
import pytest
import pytest_asyncio

from tests.conformance.rejected_requests import (
    BODY_FAULTS,
    MALFORMED_ID_FAULTS,
    PAGING_FAULTS,
    STATE_FAULTS,
    TRANSPORT_FAULTS,
    UNKNOWN_ID_FAULTS,
    RejectedRequest,
)
from tests.emulated_service import WEATHER, EmulatedService, get_required_calls, open_service
from tests.stored_objects import get_driver
from threadbridge.ports import Session

pytestmark = pytest.mark.asyncio(loop_scope="module")


class World(NamedTuple):
    """A service with an ended run, a run that waits for tool outputs, and an empty thread."""

    service: EmulatedService
    ids: Mapping[str, str]

    async def send(self, fault: RejectedRequest) -> tuple[int, Any]:
        """Send the request; its status and error body."""
        body = fault.body if isinstance(fault.body, bytes) else self._fill_in_ids(fault.body)
        path = fault.path.format_map(self.ids)
        response = await self.service.send(fault.method, path, body, query=fault.query, headers=fault.headers)
        assert isinstance(response.body, bytes), "a refusal is no stream"
        return response.status, orjson.loads(response.body)

    def _fill_in_ids(self, body: Any) -> bytes:
        written = orjson.dumps(body)
        for name, id_ in self.ids.items():
            written = written.replace(f"<{name}>".encode(), id_.encode())
        return written

    async def dump(self) -> list[str]:
        """Every row of the store."""
        return await self.service.store.read(_dump_rows, tenant="default")


def _dump_rows(session: Session) -> list[str]:
    return list(get_driver(session).iterdump())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world() -> AsyncIterator[World]:
    """One service for all tests: rejected requests do not change it, as each test checks."""
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


async def assert_rejected(world: World, fault: RejectedRequest) -> None:
    before = await world.dump()

    status, body = await world.send(fault)

    message = body["error"]["message"]
    text = fault.message.format_map(world.ids)
    expected = message if text.endswith("...") and message.startswith(text[:-3]) else text
    assert status == fault.status
    assert body == {
        "error": {"message": expected, "type": "invalid_request_error", "param": fault.param, "code": fault.code}
    }
    assert list(body["error"]) == ["message", "type", "param", "code"]
    assert await world.dump() == before


@pytest.mark.parametrize("fault", BODY_FAULTS.values(), ids=BODY_FAULTS)
async def test_a17_a18_a29_an_invalid_body_is_rejected_with_parameter_and_code(
    world: World, fault: RejectedRequest
) -> None:
    await assert_rejected(world, fault)


@pytest.mark.parametrize("fault", PAGING_FAULTS.values(), ids=PAGING_FAULTS)
async def test_a13_an_invalid_page_limit_is_rejected(world: World, fault: RejectedRequest) -> None:
    await assert_rejected(world, fault)


@pytest.mark.parametrize("fault", UNKNOWN_ID_FAULTS.values(), ids=UNKNOWN_ID_FAULTS)
async def test_a15_an_unknown_id_is_a_404(world: World, fault: RejectedRequest) -> None:
    await assert_rejected(world, fault)


@pytest.mark.parametrize("fault", MALFORMED_ID_FAULTS.values(), ids=MALFORMED_ID_FAULTS)
async def test_a16_a_malformed_id_is_a_400_before_any_lookup(world: World, fault: RejectedRequest) -> None:
    await assert_rejected(world, fault)


@pytest.mark.parametrize("fault", TRANSPORT_FAULTS.values(), ids=TRANSPORT_FAULTS)
async def test_a2_a3_an_unreadable_request_is_rejected_in_the_error_envelope(
    world: World, fault: RejectedRequest
) -> None:
    await assert_rejected(world, fault)


@pytest.mark.parametrize("fault", STATE_FAULTS.values(), ids=STATE_FAULTS)
async def test_a57_a63_a69_a_request_that_the_run_status_forbids_is_rejected(
    world: World, fault: RejectedRequest
) -> None:
    await assert_rejected(world, fault)
