"""Errors as clients read them."""

from __future__ import annotations

import logging

import pytest

from tests.bridge.wire.recording_backend import RecordingBackend
from tests.bridge.wire.wire_requests import parse_body, send_request
from threadbridge.errors import InvalidRequest, NotFound, StoreError, Unauthorized, UpstreamError


async def test_an_error_has_exactly_the_four_fields_of_the_envelope() -> None:
    backend = RecordingBackend(result=InvalidRequest("Unknown parameter: 'x'.", param="x", code="unknown_parameter"))

    response = await send_request(backend, "POST", "/threads", body=b"{}")

    assert response.status == 400
    assert response.headers["content-type"] == "application/json"
    assert response.body == (
        b'{\n  "error": {\n    "message": "Unknown parameter: \'x\'.",\n    "type": "invalid_request_error",\n'
        b'    "param": "x",\n    "code": "unknown_parameter"\n  }\n}'
    )


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (NotFound("x"), 404, "invalid_request_error"),
        (Unauthorized("x"), 401, "invalid_request_error"),
        (StoreError("x"), 500, "server_error"),
        (UpstreamError("x"), 502, "server_error"),
        (UpstreamError("x", status=429), 429, "invalid_request_error"),
        (UpstreamError("x", status=200), 502, "server_error"),
    ],
)
async def test_an_error_has_the_status_of_its_kind(error: Exception, status: int, kind: str) -> None:
    response = await send_request(RecordingBackend(result=error), "GET", "/threads/thread_1")

    assert response.status == status
    assert parse_body(response) == {"error": {"message": "x", "type": kind, "param": None, "code": None}}


async def test_an_error_from_behind_keeps_its_object_its_request_id_and_its_wait() -> None:
    error = UpstreamError(
        "slow down, ***",
        status=429,
        request_id="req_upstream",
        retry_after=2.5,
        body={"message": "slow down, sk-1", "type": "requests", "param": None, "code": "rate", "innererror": {"a": 1}},
    )

    response = await send_request(RecordingBackend(result=error), "GET", "/threads/thread_1")

    assert response.status == 429
    assert parse_body(response) == {
        "error": {
            "message": "slow down, ***",
            "type": "requests",
            "param": None,
            "code": "rate",
            "innererror": {"a": 1},
        }
    }
    assert response.headers["x-request-id"] == "req_upstream"
    assert response.headers["retry-after"] == "2.5"


async def test_a_bug_is_a_500_with_its_traceback_in_the_log_only(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        response = await send_request(RecordingBackend(result=RuntimeError("secret")), "GET", "/threads/thread_1")

    assert response.status == 500
    assert parse_body(response)["error"]["type"] == "server_error"
    assert response.headers["x-request-id"] in parse_body(response)["error"]["message"]
    assert "secret" not in str(parse_body(response))
    assert "RuntimeError: secret" in caplog.text


async def test_a_wrong_method_names_the_allowed_ones() -> None:
    response = await send_request(RecordingBackend(), "PATCH", "/assistants")

    assert response.status == 405
    assert response.headers["allow"] == "POST, GET"
    assert parse_body(response)["error"]["code"] == "method_not_supported"


async def test_an_unknown_path_is_an_envelope_too() -> None:
    response = await send_request(RecordingBackend(), "POST", "/threads/x/y")

    assert response.status == 404
    assert parse_body(response)["error"]["message"] == "Invalid URL (POST /v1/threads/x/y)"


async def test_half_a_character_in_a_path_does_not_break_the_answer() -> None:
    response = await send_request(RecordingBackend(), "GET", "/threads/\udc80/x")

    assert response.status == 404
    assert b"\\udc80" in bytes(response.body)  # type: ignore[arg-type]
