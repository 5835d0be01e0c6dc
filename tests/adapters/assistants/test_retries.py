"""Which requests are sent again, and which must not be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.adapters.assistants.settings import make_settings
from tests.legacy_service import InjectedFault, LegacyService, make_error_body
from tests.request_context import CONTEXT
from threadbridge.errors import (
    UpstreamError,
)
from threadbridge.ports import Backend
from threadbridge_adapters.assistants import open_backend

Operation = Callable[[Backend], Awaitable[Any]]


async def test_a_message_is_not_sent_again_when_nobody_knows_whether_it_arrived(
    service: LegacyService, url: str
) -> None:
    service.threads["thread_1"] = {"id": "thread_1"}
    service.faults.append(InjectedFault("/messages", 500, make_error_body("Oops."), after_handling=True))
    backend = await open_backend(make_settings(url, max_retries=2))

    with pytest.raises(UpstreamError, match="Oops"):
        await backend.create_message(CONTEXT, "thread_1", {"role": "user", "content": "once"})

    await backend.aclose()
    assert [message["content"] for message in service.messages["thread_1"]] == ["once"]


async def test_a_message_is_not_sent_again_after_a_timeout(service: LegacyService, url: str) -> None:
    service.faults.append(InjectedFault("/messages", 200, b"{}", after_handling=True, delay=0.5, times=3))
    backend = await open_backend(make_settings(url, max_retries=2, timeout=0.1))

    with pytest.raises(UpstreamError, match="in time"):
        await backend.create_message(CONTEXT, "thread_1", {"role": "user", "content": "once"})

    await backend.aclose()
    assert len(service.messages["thread_1"]) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_a_message_that_was_not_taken_on_is_sent_again(service: LegacyService, url: str, status: int) -> None:
    fault = InjectedFault("/messages", status, make_error_body("Not now."), times=2, headers={"retry-after": "0.01"})
    service.faults.append(fault)
    backend = await open_backend(make_settings(url, max_retries=2))

    await backend.create_message(CONTEXT, "thread_1", {"role": "user", "content": "once"})

    await backend.aclose()
    assert len(service.requests) == 3
    assert len(service.messages["thread_1"]) == 1


async def test_a_wait_beyond_all_bounds_is_not_waited_for(service: LegacyService, url: str) -> None:
    service.faults.append(
        InjectedFault("/messages", 429, make_error_body("Tomorrow."), headers={"retry-after": "86400"})
    )
    backend = await open_backend(make_settings(url, max_retries=2))

    with pytest.raises(UpstreamError, match="Tomorrow"):
        await backend.create_message(CONTEXT, "thread_1", {})

    await backend.aclose()
    assert len(service.requests) == 1


SAFE: dict[str, Operation] = {
    "get": lambda b: b.retrieve_thread(CONTEXT, "thread_1"),
    "delete": lambda b: b.delete_thread(CONTEXT, "thread_1"),
    "update": lambda b: b.update_thread(CONTEXT, "thread_1", {"metadata": {}}),
}


@pytest.mark.parametrize("operation", SAFE.values(), ids=SAFE.keys())
async def test_what_may_be_done_twice_is_repeated_after_a_server_error(
    backend: Backend, service: LegacyService, operation: Operation
) -> None:
    service.threads["thread_1"] = {"id": "thread_1"}
    service.faults.append(InjectedFault("/thread_1", 500, make_error_body("Oops."), headers={"retry-after": "0.01"}))

    answer = await operation(backend)

    assert answer["id"].startswith("thread_1")
    assert len(service.requests) == 2
