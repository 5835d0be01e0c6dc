"""What the assistants backend sends, and what it hands back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
import pytest

from tests.adapters.assistants.settings import KEY, make_settings
from tests.legacy_service import InjectedFault, LegacyService, ReceivedRequest, add_threads
from tests.request_context import CONTEXT
from threadbridge.api_types import JsonMapping
from threadbridge.errors import (
    InvalidRequest,
    Unsupported,
)
from threadbridge.ports import Backend, ListQuery
from threadbridge_adapters.assistants import open_backend

Operation = Callable[[Backend], Awaitable[Any]]


def the_only(service: LegacyService) -> ReceivedRequest:
    assert len(service.requests) == 1
    return service.requests[0]


async def test_fields_nobody_has_heard_of_travel_both_ways(backend: Backend, service: LegacyService) -> None:
    body = {"model": "gpt-4o", "x_future": {"deep": [1.0, None, "ü"]}, "metadata": None}

    made: JsonMapping = await backend.create_assistant(CONTEXT, body)

    assert orjson.loads(the_only(service).body) == body
    assert made == {"id": "assistants_made", **body}
    assert list(made) == ["id", "model", "x_future", "metadata"]


async def test_every_request_carries_the_beta_header_and_the_key(backend: Backend, service: LegacyService) -> None:
    add_threads(service, 1)

    await backend.retrieve_thread(CONTEXT, "thread_00000")

    headers = the_only(service).headers
    assert headers["openai-beta"] == "assistants=v2"
    assert headers["authorization"] == f"Bearer {KEY}"


async def test_a_list_sends_what_was_asked_for_and_nothing_else(backend: Backend, service: LegacyService) -> None:
    add_threads(service, 1)

    page = await backend.list_messages(CONTEXT, "thread_00000", ListQuery(limit=2, order="asc", run_id="run_1"))

    assert the_only(service).query == [("limit", "2"), ("order", "asc"), ("run_id", "run_1")]
    assert list(page) == ["object", "data", "first_id", "last_id", "has_more"]
    assert [message["id"] for message in page["data"]] == ["msg_00000_000", "msg_00000_001"]


async def test_include_is_sent_once_per_value(backend: Backend, service: LegacyService) -> None:
    await backend.list_steps(CONTEXT, "thread_1", "run_1", ListQuery(), include=["a.b[*]", "c"])

    assert the_only(service).query == [("include[]", "a.b[*]"), ("include[]", "c")]


PATHS: dict[str, tuple[Operation, str, str]] = {
    "list_assistants": (lambda b: b.list_assistants(CONTEXT, ListQuery()), "GET", "/assistants"),
    "retrieve_assistant": (lambda b: b.retrieve_assistant(CONTEXT, "asst_1"), "GET", "/assistants/asst_1"),
    "update_assistant": (lambda b: b.update_assistant(CONTEXT, "asst_1", {}), "POST", "/assistants/asst_1"),
    "delete_assistant": (lambda b: b.delete_assistant(CONTEXT, "asst_1"), "DELETE", "/assistants/asst_1"),
    "create_thread": (lambda b: b.create_thread(CONTEXT, {}), "POST", "/threads"),
    "update_thread": (lambda b: b.update_thread(CONTEXT, "thread_1", {}), "POST", "/threads/thread_1"),
    "delete_thread": (lambda b: b.delete_thread(CONTEXT, "thread_1"), "DELETE", "/threads/thread_1"),
    "create_message": (lambda b: b.create_message(CONTEXT, "thread_1", {}), "POST", "/threads/thread_1/messages"),
    "retrieve_message": (
        lambda b: b.retrieve_message(CONTEXT, "thread_1", "msg_1"),
        "GET",
        "/threads/thread_1/messages/msg_1",
    ),
    "update_message": (
        lambda b: b.update_message(CONTEXT, "thread_1", "msg_1", {}),
        "POST",
        "/threads/thread_1/messages/msg_1",
    ),
    "delete_message": (
        lambda b: b.delete_message(CONTEXT, "thread_1", "msg_1"),
        "DELETE",
        "/threads/thread_1/messages/msg_1",
    ),
    "create_run": (lambda b: b.create_run(CONTEXT, "thread_1", {}), "POST", "/threads/thread_1/runs"),
    "create_thread_and_run": (lambda b: b.create_thread_and_run(CONTEXT, {}), "POST", "/threads/runs"),
    "list_runs": (lambda b: b.list_runs(CONTEXT, "thread_1", ListQuery()), "GET", "/threads/thread_1/runs"),
    "retrieve_run": (lambda b: b.retrieve_run(CONTEXT, "thread_1", "run_1"), "GET", "/threads/thread_1/runs/run_1"),
    "update_run": (lambda b: b.update_run(CONTEXT, "thread_1", "run_1", {}), "POST", "/threads/thread_1/runs/run_1"),
    "cancel_run": (lambda b: b.cancel_run(CONTEXT, "thread_1", "run_1"), "POST", "/threads/thread_1/runs/run_1/cancel"),
    "submit": (
        lambda b: b.submit_tool_outputs(CONTEXT, "thread_1", "run_1", {"tool_outputs": []}),
        "POST",
        "/threads/thread_1/runs/run_1/submit_tool_outputs",
    ),
    "list_steps": (
        lambda b: b.list_steps(CONTEXT, "thread_1", "run_1", ListQuery()),
        "GET",
        "/threads/thread_1/runs/run_1/steps",
    ),
    "retrieve_step": (
        lambda b: b.retrieve_step(CONTEXT, "thread_1", "run_1", "step_1"),
        "GET",
        "/threads/thread_1/runs/run_1/steps/step_1",
    ),
}


@pytest.mark.parametrize("name", PATHS)
async def test_each_operation_asks_its_own_path(backend: Backend, service: LegacyService, name: str) -> None:
    operation, method, path = PATHS[name]
    service.faults.append(InjectedFault("", 200, b"{}"))

    await operation(backend)

    assert (the_only(service).method, the_only(service).raw_path) == (method, f"/v1{path}")


async def test_an_id_cannot_lead_to_another_path(backend: Backend, service: LegacyService) -> None:
    service.faults.append(InjectedFault("", 200, b"{}"))

    await backend.retrieve_thread(CONTEXT, "../assistants/asst_1?limit=1#x")

    assert the_only(service).raw_path == "/v1/threads/..%2Fassistants%2Fasst_1%3Flimit%3D1%23x"


@pytest.mark.parametrize("thread_id", ["", ".", ".."])
async def test_an_id_that_quoting_cannot_tame_is_refused_before_it_is_sent(
    backend: Backend, service: LegacyService, thread_id: str
) -> None:
    with pytest.raises(InvalidRequest, match="Expected an ID that begins with 'thread'") as refused:
        await backend.delete_thread(CONTEXT, thread_id)

    assert (refused.value.param, refused.value.code) == ("thread_id", "invalid_value")
    assert service.requests == []


async def test_a_run_brings_the_advised_pause_between_polls(backend: Backend, service: LegacyService) -> None:
    add_threads(service, 1)
    service.run_headers = {"openai-poll-after-ms": "750"}

    polled = await backend.retrieve_run(CONTEXT, "thread_00000", "run_00000_1")

    assert polled.run == service.runs["thread_00000"][1]
    assert polled.poll_after_ms == 750


async def test_a_run_without_advice_brings_none(backend: Backend, service: LegacyService) -> None:
    add_threads(service, 1)

    polled = await backend.retrieve_run(CONTEXT, "thread_00000", "run_00000_0")

    assert polled.poll_after_ms is None


async def test_threads_are_not_listed_unless_the_service_is_said_to_do_it(
    backend: Backend, service: LegacyService
) -> None:
    with pytest.raises(Unsupported, match=r"assistants\.list_threads"):
        await backend.list_threads(CONTEXT, ListQuery())

    assert not backend.capabilities.lists_threads
    assert service.requests == []


async def test_threads_are_listed_by_a_service_that_can(service: LegacyService, url: str) -> None:
    add_threads(service, 3)
    backend = await open_backend(make_settings(url, list_threads=True))

    page = await backend.list_threads(CONTEXT, ListQuery(limit=2, order="asc"))
    await backend.aclose()

    assert [thread["id"] for thread in page["data"]] == ["thread_00000", "thread_00001"]
    assert backend.capabilities.lists_threads


async def test_a_run_is_not_reported_unless_the_service_is_said_to_do_it(
    backend: Backend, service: LegacyService
) -> None:
    with pytest.raises(Unsupported, match=r"assistants\.report_runs"):
        await backend.report_run(CONTEXT, "thread_1", "run_1")

    assert not backend.capabilities.reports_runs
    assert service.requests == []


async def test_a_report_is_handed_on_as_it_is(service: LegacyService, url: str) -> None:
    service.faults.append(InjectedFault("", 200, b'{"object":"thread.run.report","run_id":"run_1"}'))
    backend = await open_backend(make_settings(url, report_runs=True))

    report = await backend.report_run(CONTEXT, "thread_1", "run_1")

    await backend.aclose()
    assert report == {"object": "thread.run.report", "run_id": "run_1"}
    assert the_only(service).raw_path == "/v1/threads/thread_1/runs/run_1/report"
