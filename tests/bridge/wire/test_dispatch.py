"""Requests in, whole answers out, with a backend that only remembers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import cast

import orjson
import pytest

from tests.bridge.wire.recording_backend import BackendCall, RecordingBackend
from tests.bridge.wire.wire_requests import BETA, CONTENT, MAX_BODY_BYTES, parse_body, send_request
from threadbridge.api_types import RunObject
from threadbridge.ports import ListQuery, PolledRun

BODY = {"a": 1}
QUERY = (("limit", "5"), ("order", "asc"), ("after", "x_1"), ("before", "x_2"), ("run_id", "run_9"))
PAGE = ListQuery(limit=5, order="asc", after="x_1", before="x_2")
OF_A_RUN = replace(PAGE, run_id="run_9")

#: method, path -> what the backend is asked when the body is BODY and the query is QUERY.
CALLS: dict[tuple[str, str], BackendCall] = {
    ("POST", "/assistants"): BackendCall("create_assistant", (BODY,), {}),
    ("GET", "/assistants"): BackendCall("list_assistants", (PAGE,), {}),
    ("GET", "/assistants/asst_1"): BackendCall("retrieve_assistant", ("asst_1",), {}),
    ("POST", "/assistants/asst_1"): BackendCall("update_assistant", ("asst_1", BODY), {}),
    ("DELETE", "/assistants/asst_1"): BackendCall("delete_assistant", ("asst_1",), {}),
    ("POST", "/threads"): BackendCall("create_thread", (BODY,), {}),
    ("GET", "/threads"): BackendCall("list_threads", (PAGE,), {}),
    ("POST", "/threads/runs"): BackendCall("create_thread_and_run", (BODY,), {"include": ()}),
    ("GET", "/threads/thread_1"): BackendCall("retrieve_thread", ("thread_1",), {}),
    ("POST", "/threads/thread_1"): BackendCall("update_thread", ("thread_1", BODY), {}),
    ("DELETE", "/threads/thread_1"): BackendCall("delete_thread", ("thread_1",), {}),
    ("POST", "/threads/thread_1/messages"): BackendCall("create_message", ("thread_1", BODY), {}),
    ("GET", "/threads/thread_1/messages"): BackendCall("list_messages", ("thread_1", OF_A_RUN), {}),
    ("GET", "/threads/thread_1/messages/msg_1"): BackendCall("retrieve_message", ("thread_1", "msg_1"), {}),
    ("POST", "/threads/thread_1/messages/msg_1"): BackendCall("update_message", ("thread_1", "msg_1", BODY), {}),
    ("DELETE", "/threads/thread_1/messages/msg_1"): BackendCall("delete_message", ("thread_1", "msg_1"), {}),
    ("POST", "/threads/thread_1/runs"): BackendCall("create_run", ("thread_1", BODY), {"include": ()}),
    ("GET", "/threads/thread_1/runs"): BackendCall("list_runs", ("thread_1", PAGE), {}),
    ("POST", "/threads/thread_1/runs/run_1"): BackendCall("update_run", ("thread_1", "run_1", BODY), {}),
    ("POST", "/threads/thread_1/runs/run_1/cancel"): BackendCall("cancel_run", ("thread_1", "run_1"), {}),
    ("POST", "/threads/thread_1/runs/run_1/submit_tool_outputs"): BackendCall(
        "submit_tool_outputs", ("thread_1", "run_1", BODY), {}
    ),
    ("GET", "/threads/thread_1/runs/run_1/steps"): BackendCall(
        "list_steps", ("thread_1", "run_1", PAGE), {"include": ()}
    ),
    ("GET", "/threads/thread_1/runs/run_1/steps/step_1"): BackendCall(
        "retrieve_step", ("thread_1", "run_1", "step_1"), {"include": ()}
    ),
}


@pytest.mark.parametrize(("method", "path"), CALLS)
async def test_an_operation_asks_the_backend_for_just_that(method: str, path: str) -> None:
    backend = RecordingBackend(result={"id": "x", "object": "y"})

    response = await send_request(backend, method, path, query=QUERY, body=orjson.dumps(BODY))

    assert backend.calls == [CALLS[method, path]]
    assert response.status == 200
    assert parse_body(response) == {"id": "x", "object": "y"}


async def test_a_retrieved_run_carries_the_advice_when_to_ask_again() -> None:
    backend = RecordingBackend(result=PolledRun(cast("RunObject", {"id": "run_1"}), 250))

    response = await send_request(backend, "GET", "/threads/thread_1/runs/run_1")

    assert backend.calls == [BackendCall("retrieve_run", ("thread_1", "run_1"), {})]
    assert response.headers["openai-poll-after-ms"] == "250"
    assert parse_body(response) == {"id": "run_1"}


async def test_a_retrieved_run_without_advice_carries_none() -> None:
    backend = RecordingBackend(result=PolledRun(cast("RunObject", {"id": "run_1"})))

    response = await send_request(backend, "GET", "/threads/thread_1/runs/run_1")

    assert "openai-poll-after-ms" not in response.headers


async def test_a_body_is_pretty_with_two_blanks_and_keeps_its_order() -> None:
    backend = RecordingBackend(result={"object": "thread", "id": "thread_1", "metadata": {"ü": "é"}})

    response = await send_request(backend, "GET", "/threads/thread_1")

    expected = '{\n  "object": "thread",\n  "id": "thread_1",\n  "metadata": {\n    "ü": "é"\n  }\n}'
    assert response.body == expected.encode()


async def test_a_body_has_no_character_that_clients_take_for_a_line_end() -> None:
    backend = RecordingBackend(result={"id": "a\u2028b\u2029c\x85"})

    response = await send_request(backend, "GET", "/threads/thread_1")

    assert response.body == b'{\n  "id": "a\\u2028b\\u2029c\\u0085"\n}'


async def test_an_answer_has_the_headers_of_the_service() -> None:
    response = await send_request(RecordingBackend(), "GET", "/threads/thread_1")

    assert response.headers["content-type"] == "application/json"
    assert response.headers["openai-version"] == "2020-10-01"
    assert response.headers["openai-processing-ms"].isdigit()
    assert re.fullmatch(r"req_[0-9a-f]{32}", response.headers["x-request-id"])


async def test_two_answers_have_two_request_ids() -> None:
    first = await send_request(RecordingBackend(), "GET", "/threads/thread_1")
    second = await send_request(RecordingBackend(), "GET", "/threads/thread_1")

    assert first.headers["x-request-id"] != second.headers["x-request-id"]


# The beta header ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"openai-beta": "assistants=v1"}, {"openai-beta": ""}, {"openai-beta": "x"}])
async def test_without_the_beta_header_the_service_says_how_to_set_it(headers: dict[str, str]) -> None:
    backend = RecordingBackend()

    response = await send_request(backend, "GET", "/threads/thread_1", headers=headers)

    assert response.status == 400
    assert parse_body(response) == {
        "error": {
            "message": (
                "You must provide the 'OpenAI-Beta' header to access the Assistants API. "
                "Please try again by setting the header 'OpenAI-Beta: assistants=v2'."
            ),
            "type": "invalid_request_error",
            "param": None,
            "code": "invalid_beta",
        }
    }
    assert backend.calls == []


@pytest.mark.parametrize("given", ["assistants=v2", "realtime=v1, assistants=v2", "assistants=v2,x=y"])
async def test_a_list_with_the_right_version_passes(given: str) -> None:
    response = await send_request(RecordingBackend(), "GET", "/threads/thread_1", headers={"openai-beta": given})

    assert response.status == 200


async def test_azure_callers_name_an_api_version_and_need_no_beta_header() -> None:
    query = (("api-version", "2024-05-01-preview"),)

    response = await send_request(RecordingBackend(), "GET", "/threads/thread_1", query=query, headers={})

    assert response.status == 200


# Queries ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "query",
    [
        (("include[]", CONTENT),),
        (("include", CONTENT),),
        (("include[0]", CONTENT),),
        (("include%5B%5D", CONTENT.replace("[", "%5B").replace("]", "%5D").replace("*", "%2A")),),
        (("include[]", "step_details.tool_calls%5B%2A%5D.file_search.results%5B%2A%5D.content"), ("limit", "2")),
    ],
)
async def test_include_is_understood_in_every_spelling(query: tuple[tuple[str, str], ...]) -> None:
    backend = RecordingBackend()

    await send_request(backend, "GET", "/threads/thread_1/runs/run_1/steps", query=query)

    assert backend.calls[0].kwargs == {"include": (CONTENT,)}


async def test_include_goes_with_the_creation_of_a_run() -> None:
    backend = RecordingBackend()

    await send_request(backend, "POST", "/threads/runs", query=(("include[]", CONTENT), ("include[]", "x")), body=b"{}")

    assert backend.calls[0].kwargs == {"include": (CONTENT, "x")}


@pytest.mark.parametrize("limit", ["abc", "1.5", "1_0", "١٢", "9" * 5000, "0x10"])
async def test_a_limit_that_is_no_integer_is_an_invalid_type(limit: str) -> None:
    response = await send_request(RecordingBackend(), "GET", "/assistants", query=(("limit", limit),))

    assert response.status == 400
    assert parse_body(response)["error"] == {
        "message": "Invalid type for 'limit': expected an integer, but got a string instead.",
        "type": "invalid_request_error",
        "param": "limit",
        "code": "invalid_type",
    }


async def test_a_limit_out_of_range_is_left_to_the_backend() -> None:
    backend = RecordingBackend()

    await send_request(backend, "GET", "/assistants", query=(("limit", "-1"), ("after", ""), ("order", "")))

    assert backend.calls[0].args == (ListQuery(limit=-1),)


# Bodies -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/threads/thread_1"),
        ("POST", "/threads/thread_1/runs/run_1/cancel"),
        ("POST", "/threads"),
        ("POST", "/threads/thread_1"),
        ("POST", "/assistants/asst_1"),
    ],
)
async def test_an_empty_body_is_fine_where_nothing_is_required(method: str, path: str) -> None:
    headers = {**BETA, "content-type": "application/json"}

    response = await send_request(RecordingBackend(), method, path, headers=headers)

    assert response.status == 200


async def test_what_stands_in_the_body_of_a_cancel_or_delete_does_not_matter() -> None:
    cancelled = await send_request(RecordingBackend(), "POST", "/threads/thread_1/runs/run_1/cancel", body=b"not json")
    deleted = await send_request(RecordingBackend(), "DELETE", "/threads/thread_1", body=b"{}")

    assert (cancelled.status, deleted.status) == (200, 200)


@pytest.mark.parametrize("body", [b"", b"{", b"not json", b'{"a": NaN}', b"\xff\xfe", b'{"a": "\\ud800"}', b"{}{}"])
async def test_a_body_that_is_no_json_is_told_so(body: bytes) -> None:
    backend = RecordingBackend()

    response = await send_request(backend, "POST", "/assistants", body=body)

    assert response.status == 400
    assert parse_body(response)["error"]["message"].startswith(
        "We could not parse the JSON body of your request. (HINT: "
    )
    assert parse_body(response)["error"]["type"] == "invalid_request_error"
    assert backend.calls == []


@pytest.mark.parametrize(
    ("body", "got"),
    [(b"[{}]", "an array"), (b'"x"', "a string"), (b"1", "an integer"), (b"1.5", "a decimal number")],
)
async def test_a_body_that_is_no_object_is_an_invalid_type(body: bytes, got: str) -> None:
    response = await send_request(RecordingBackend(), "POST", "/threads", body=body)

    error = parse_body(response)["error"]
    assert response.status == 400
    assert error["message"] == f"Invalid type: expected an object, but got {got} instead."
    assert error["code"] == "invalid_type"


async def test_a_body_beyond_the_limit_is_refused_unread() -> None:
    response = await send_request(RecordingBackend(), "POST", "/threads", body=b"{" + b" " * MAX_BODY_BYTES)

    assert response.status == 413
    assert parse_body(response)["error"]["type"] == "invalid_request_error"


async def test_a_body_that_no_answer_could_repeat_is_refused() -> None:
    body = b'{"metadata":' + b"[" * 300 + b"]" * 300 + b"}"

    response = await send_request(RecordingBackend(), "POST", "/threads", body=body)

    assert response.status == 400
    assert "nested too deeply" in parse_body(response)["error"]["message"]


async def test_a_wide_body_is_not_a_deep_one() -> None:
    response = await send_request(RecordingBackend(), "POST", "/threads", body=b'{"a":[' + b"[]," * 250 + b"[]]}")

    assert response.status == 200
