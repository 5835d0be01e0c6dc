"""The gateway answers generated requests as documented, and the fuzzer detects invalid responses."""

from __future__ import annotations

import random
from typing import cast

import pytest
from starlette.types import ASGIApp

from tests.conformance.asgi_client import ASGIResponse
from tests.conformance.fuzz import fuzz
from tests.conformance.fuzzer import Fuzzer, FuzzReport
from tests.conformance.published_schema import ABSENT, SLICE, load_published_schema
from threadbridge.wire import OPERATIONS, Operation

pytestmark = pytest.mark.skipif(not SLICE.is_file(), reason=ABSENT)

JSON = {"content-type": "application/json"}
EVENTS = {"content-type": "text/event-stream; charset=utf-8"}
THREAD = b'{"id": "thread_1", "object": "thread", "created_at": 1, "metadata": {}, "tool_resources": {}}'
REFUSAL = b'{"error": {"message": "No.", "type": "invalid_request_error", "param": null, "code": null}}'


def retrieve_thread() -> Operation:
    return next(operation for operation in OPERATIONS if operation.name == "retrieve_thread")


@pytest.fixture
def fuzzer() -> Fuzzer:
    schema = load_published_schema()
    assert schema is not None
    return Fuzzer(cast("ASGIApp", None), schema, random.Random(1), FuzzReport())  # noqa: S311  # luck, not secrecy


def test_generated_requests_get_documented_responses() -> None:
    report = fuzz(230, seed=1)

    assert report.faults == []
    assert report.requests >= 230
    assert len({name for name, _ in report.statuses}) == 23


@pytest.mark.parametrize(
    "received",
    [
        ASGIResponse(200, JSON, THREAD),
        ASGIResponse(404, JSON, REFUSAL),
        ASGIResponse(200, EVENTS, b"event: thread.created\ndata: %b\n\nevent: done\ndata: [DONE]\n\n" % THREAD),
    ],
)
def test_the_fuzzer_finds_no_fault_in_a_valid_response(fuzzer: Fuzzer, received: ASGIResponse) -> None:
    assert list(fuzzer.find_faults(retrieve_thread(), received)) == []


@pytest.mark.parametrize(
    "received",
    [
        ASGIResponse(500, JSON, REFUSAL),
        ASGIResponse(302, JSON, REFUSAL),
        ASGIResponse(400, JSON, REFUSAL.replace(b"No.", b"Traceback (most recent call last)")),
        ASGIResponse(400, JSON, b'{"error": "No."}'),
        ASGIResponse(200, JSON, b'{"id": "thread_1"}'),
        ASGIResponse(200, EVENTS, b"event: thread.created\ndata: %b\n\n" % THREAD),
        ASGIResponse(200, EVENTS, b"event: thread.invented\ndata: {}\n\nevent: done\ndata: [DONE]\n\n"),
        ASGIResponse(200, EVENTS, b"event: thread.run.created\ndata: {}\n\nevent: done\ndata: [DONE]\n\n"),
    ],
)
def test_the_fuzzer_finds_the_fault_of_an_invalid_response(fuzzer: Fuzzer, received: ASGIResponse) -> None:
    assert list(fuzzer.find_faults(retrieve_thread(), received)) != []
