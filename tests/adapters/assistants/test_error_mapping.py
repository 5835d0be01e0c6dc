"""What becomes of a legacy service's errors."""

from __future__ import annotations

import orjson
import pytest

from tests.adapters.assistants.settings import KEY, make_settings
from tests.legacy_service import InjectedFault, LegacyService, make_error_body
from tests.request_context import CONTEXT
from threadbridge.errors import (
    BridgeError,
    Conflict,
    InvalidRequest,
    NotFound,
    Unauthorized,
    UpstreamError,
)
from threadbridge.ports import Backend
from threadbridge_adapters.assistants import open_backend


async def test_an_unknown_thread_is_not_found_in_the_services_words(backend: Backend, service: LegacyService) -> None:
    with pytest.raises(NotFound) as raised:
        await backend.retrieve_thread(CONTEXT, "thread_nope")

    assert raised.value.message == "No thread found with id 'thread_nope'."
    assert raised.value.request_id == "req_404"


STATUSES: dict[int, type[BridgeError]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Unauthorized,
    409: Conflict,
    413: InvalidRequest,
    422: InvalidRequest,
    429: UpstreamError,
    500: UpstreamError,
    503: UpstreamError,
}


@pytest.mark.parametrize("status", STATUSES)
async def test_an_error_keeps_status_message_type_param_code_and_request_id(
    service: LegacyService, url: str, status: int
) -> None:
    body = orjson.dumps({"error": {"message": "No.", "type": "some_type", "param": "p.q", "code": "c"}})
    service.faults.append(
        InjectedFault("/threads", status, body, headers={"x-request-id": "req_9", "retry-after": "3"})
    )
    backend = await open_backend(make_settings(url, max_retries=0))

    with pytest.raises(STATUSES[status]) as raised:
        await backend.create_thread(CONTEXT, {})

    await backend.aclose()
    error = raised.value
    assert (error.status, error.message, error.type, error.param, error.code, error.request_id) == (
        status,
        "No.",
        "some_type",
        "p.q",
        "c",
        "req_9",
    )


async def test_an_upstream_error_keeps_the_body_and_the_wait_asked_for(service: LegacyService, url: str) -> None:
    service.faults.append(InjectedFault("/threads", 429, make_error_body("Slow down."), headers={"retry-after": "7"}))
    backend = await open_backend(make_settings(url, max_retries=0))

    with pytest.raises(UpstreamError) as raised:
        await backend.create_thread(CONTEXT, {})

    await backend.aclose()
    assert raised.value.retry_after == 7.0
    assert raised.value.body == orjson.loads(make_error_body("Slow down."))["error"]


GONE = {
    "html": b"<html>Not Found</html>",
    "empty": b"",
    "another envelope": b'{"detail":"Not Found"}',
    "unknown url": make_error_body("Invalid URL (GET /v1/threads/thread_1)"),
    "azure": b'{"error":{"code":"404","message":"Resource not found"}}',
}


@pytest.mark.parametrize("body", GONE.values(), ids=GONE.keys())
async def test_a8_a_404_that_is_no_assistants_error_says_that_the_api_is_gone(
    backend: Backend, service: LegacyService, body: bytes
) -> None:
    service.faults.append(InjectedFault("/thread_1", 404, body))

    with pytest.raises(UpstreamError, match="no longer has the Assistants API") as raised:
        await backend.retrieve_thread(CONTEXT, "thread_1")

    assert raised.value.status == 404


async def test_a_page_in_place_of_json_is_an_upstream_error(backend: Backend, service: LegacyService) -> None:
    service.faults.append(InjectedFault("/thread_1", 200, b"<html>Please log in</html>"))

    with pytest.raises(UpstreamError, match="other than a JSON object"):
        await backend.retrieve_thread(CONTEXT, "thread_1")


async def test_a_key_that_the_service_repeats_is_blanked(backend: Backend, service: LegacyService) -> None:
    service.faults.append(InjectedFault("/thread_1", 401, make_error_body(f"Incorrect API key provided: {KEY}.")))

    with pytest.raises(Unauthorized) as raised:
        await backend.retrieve_thread(CONTEXT, "thread_1")

    assert raised.value.message == "Incorrect API key provided: ***."


async def test_an_unreachable_service_is_named_and_its_password_is_not() -> None:
    backend = await open_backend(make_settings("http://user:hidden@127.0.0.1:1/v1", max_retries=0))

    with pytest.raises(UpstreamError, match=r"127\.0\.0\.1:1 could not be reached .*base_url") as raised:
        await backend.retrieve_thread(CONTEXT, "thread_1")

    await backend.aclose()
    assert "hidden" not in raised.value.message
    assert KEY not in raised.value.message


async def test_a_service_that_does_not_answer_in_time_is_an_upstream_error(service: LegacyService, url: str) -> None:
    service.faults.append(InjectedFault("/thread_1", 200, b"{}", delay=1.0))
    backend = await open_backend(make_settings(url, max_retries=0, timeout=0.1))

    with pytest.raises(UpstreamError, match="did not answer in time"):
        await backend.retrieve_thread(CONTEXT, "thread_1")

    await backend.aclose()
