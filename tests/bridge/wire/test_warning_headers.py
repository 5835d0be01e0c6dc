"""What is accepted and will not be done as it was asked for stands in a header of the answer, and in the log."""

from __future__ import annotations

from typing import cast

import pytest

from tests.bridge.wire.recording_backend import RecordingBackend, StubEventStream
from tests.bridge.wire.wire_requests import BETA, CONTENT, send_request
from threadbridge.api_types import RunObject
from threadbridge.ports import PolledRun
from threadbridge.wire import OPERATIONS, Operation
from threadbridge.wire.response_builder import (
    MAX_HEADER_CHARACTERS,
    WARNING_HEADER,
    build_warning_headers,
    parse_warning_headers,
)

NO_BRACES = str.maketrans("", "", "{}")
RUNS = ["/threads/thread_1/runs", "/threads/runs"]


@pytest.mark.parametrize("path", RUNS)
async def test_what_the_backend_warns_of_stands_in_a_header(path: str) -> None:
    backend = RecordingBackend(warnings=["The model x is retired, so y is used instead.", "No tools."])

    response = await send_request(backend, "POST", path, body=b"{}")

    assert response.headers[WARNING_HEADER] == '"The model x is retired, so y is used instead.", "No tools."'


@pytest.mark.parametrize("path", RUNS)
async def test_a_stream_says_it_before_its_first_event(path: str) -> None:
    backend = RecordingBackend(result=StubEventStream(), warnings=["No tools."])

    response = await send_request(backend, "POST", path, body=b'{"stream": true}')

    assert response.headers[WARNING_HEADER] == '"No tools."'


async def test_an_answer_without_warnings_has_no_such_header() -> None:
    response = await send_request(RecordingBackend(), "POST", "/threads/runs", body=b"{}")

    assert WARNING_HEADER not in response.headers


@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS])
async def test_a_parameter_that_means_nothing_to_an_operation_is_warned_about(
    operation: Operation, caplog: pytest.LogCaptureFixture
) -> None:
    query = (("page", "2"), ("api-version", "v1"))
    backend = RecordingBackend(
        result=PolledRun(cast("RunObject", {"id": "x"})) if operation.name == "retrieve_run" else {"id": "x"}
    )

    response = await send_request(
        backend, operation.method, operation.path.translate(NO_BRACES), query=query, body=b"{}"
    )

    sentence = "The query parameter 'page' has no effect on this operation."
    assert (response.status, response.headers[WARNING_HEADER]) == (200, f'"{sentence}"')
    assert caplog.messages == [f"{operation.method} {operation.path}: {sentence}"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS])
async def test_a_parameter_an_operation_knows_is_not_warned_about(operation: Operation) -> None:
    values = {"limit": "1", "order": "asc", "after": "x", "before": "y", "run_id": "run_1", "include": CONTENT}
    query = tuple((name, values[name]) for name in sorted(operation.query))
    backend = RecordingBackend(
        result=PolledRun(cast("RunObject", {"id": "x"})) if operation.name == "retrieve_run" else {"id": "x"}
    )

    response = await send_request(
        backend, operation.method, operation.path.translate(NO_BRACES), query=query, body=b"{}"
    )

    assert (response.status, response.headers.get(WARNING_HEADER)) == (200, None)


@pytest.mark.parametrize("name", ["include", "include[]", "include[0]"])
async def test_an_include_where_nothing_can_be_included_is_warned_about(name: str) -> None:
    path = "/threads/thread_1/runs/run_1/submit_tool_outputs"

    response = await send_request(RecordingBackend(), "POST", path, query=((name, CONTENT),), body=b"{}")

    assert response.headers[WARNING_HEADER] == f"\"The query parameter '{name}' has no effect on this operation.\""


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/threads/thread_1"), ("POST", RUNS[0] + "/run_1/cancel")])
async def test_a_body_that_nobody_reads_is_warned_about(method: str, path: str) -> None:
    response = await send_request(RecordingBackend(), method, path, body=b'{"reason": "changed my mind"}')

    assert (
        response.headers[WARNING_HEADER] == '"This operation has no request body; the one that was sent has no effect."'
    )


@pytest.mark.parametrize("body", [b"", b"{}", b" {} ", b"null"])
async def test_an_empty_body_is_not_worth_a_warning(body: bytes) -> None:
    headers = {**BETA, "content-type": "application/json"}

    response = await send_request(RecordingBackend(), "DELETE", "/threads/thread_1", headers=headers, body=body)

    assert WARNING_HEADER not in response.headers


# The header itself --------------------------------------------------------------------------------------------------


def test_a_header_is_read_as_it_was_written() -> None:
    warnings = ['The model "a\\b", or another, is retired.', "Two."]

    assert parse_warning_headers(build_warning_headers(warnings)) == warnings


def test_what_could_end_a_header_does_not_get_into_it() -> None:
    assert build_warning_headers(["a\r\nset-cookie: x\x00 é"]) == {WARNING_HEADER: '"a??set-cookie: x? ?"'}


def test_a_warning_is_given_once() -> None:
    assert build_warning_headers(["a", "b", "a"]) == {WARNING_HEADER: '"a", "b"'}


def test_a_long_header_is_cut_between_warnings_and_says_so() -> None:
    header = build_warning_headers([f"{number} {'x' * 1000}" for number in range(100)])[WARNING_HEADER]

    assert len(header) <= MAX_HEADER_CHARACTERS
    assert parse_warning_headers({WARNING_HEADER: header})[-1] == "There are more warnings; the log has all of them."
    assert parse_warning_headers({WARNING_HEADER: header})[0] == f"0 {'x' * 298}..."
