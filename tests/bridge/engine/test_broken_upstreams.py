"""A Responses service that refuses, breaks or is not there: the run fails, says why, and nothing is half written."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import openai
import pytest
from openai.types.beta.threads import Run
from pydantic import SecretStr

from tests.bridge.engine.broken_service import (
    REQUEST_ID,
    BrokenService,
    CannedResponse,
    make_error_response,
    run_broken_service,
)
from threadbridge.settings import Settings, UpstreamSettings
from threadbridge_adapters.gateway import run_gateway_in_thread

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

KEY = "sk-secret-0123456789"


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@contextmanager
def client_before(url: str) -> Generator[openai.OpenAI]:
    """A client of a gateway whose runs go to the service at this address."""
    upstream = UpstreamSettings(base_url=url, api_key=SecretStr(KEY), max_retries=0, timeout=5)
    with (
        run_gateway_in_thread(Settings(store=":memory:", upstream=upstream)) as gateway,
        openai.OpenAI(base_url=gateway, api_key="sk-mine", max_retries=0) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def service() -> Generator[BrokenService]:
    with run_broken_service() as running:
        yield running


@pytest.fixture(scope="module")
def client(service: BrokenService) -> Generator[openai.OpenAI]:
    with client_before(service.url) as opened:
        yield opened


def polled(client: openai.OpenAI, thread_id: str, assistant_id: str) -> Run:
    return client.beta.threads.runs.create_and_poll(thread_id=thread_id, assistant_id=assistant_id, poll_interval_ms=5)


def streamed(client: openai.OpenAI, thread_id: str, assistant_id: str) -> Run:
    """The run in the last event of its stream."""
    events: list[Any] = list(client.beta.threads.runs.create(thread_id, assistant_id=assistant_id, stream=True))
    assert events[-1].event == "thread.run.failed"
    run: Run = events[-1].data
    return run


Way = Callable[[openai.OpenAI, str, str], Run]
WAYS: dict[str, Way] = {"polled": polled, "streamed": streamed}


@pytest.fixture(params=WAYS)
def way(request: pytest.FixtureRequest) -> Way:
    return WAYS[request.param]


def failed_run(client: openai.OpenAI, way: Way) -> Run:
    """A run that failed without leaving anything behind, on a thread that can be used again."""
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Hello"}])

    run = way(client, thread.id, assistant.id)

    assert (run.status, run.failed_at is None, run.required_action) == ("failed", False, None)
    assert client.beta.threads.runs.retrieve(run.id, thread_id=thread.id).status == "failed"
    assert client.beta.threads.runs.steps.list(run.id, thread_id=thread.id).data == []
    assert [message.role for message in client.beta.threads.messages.list(thread.id)] == ["user"]
    client.beta.threads.messages.create(thread.id, role="user", content="Still here")
    return run


def error_of(run: Run) -> tuple[str, str]:
    assert run.last_error is not None
    return run.last_error.code, run.last_error.message


def test_a_failed_run_logs_one_line_with_its_reason(
    client: openai.OpenAI, service: BrokenService, way: Way, caplog: pytest.LogCaptureFixture
) -> None:
    service.response = make_error_response(403, "You may not use this model.")

    with caplog.at_level("WARNING", "threadbridge.run"):
        run = failed_run(client, way)

    lines = [record.getMessage() for record in caplog.records if run.id in record.getMessage()]
    assert len(lines) == 1
    assert "the run failed" in lines[0]
    assert "You may not use this model." in lines[0]
    assert "403" in lines[0]


def test_a_service_that_is_not_there_is_named_with_what_to_check(way: Way) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        address = f"127.0.0.1:{nobody.getsockname()[1]}"

    with client_before(f"http://{address}/v1") as client:
        code, message = error_of(failed_run(client, way))

    assert code == "server_error"
    assert message.startswith(f"The Responses service at {address} could not be reached")
    assert "upstream.base_url" in message


def test_a_refused_key_is_told_in_the_services_words_without_the_key(
    client: openai.OpenAI, service: BrokenService, way: Way
) -> None:
    service.response = make_error_response(401, f"Incorrect API key provided: {KEY}.", "invalid_api_key")

    code, message = error_of(failed_run(client, way))

    address = service.url.removeprefix("http://").partition("/")[0]
    assert code == "server_error"
    assert message == (
        f"Incorrect API key provided: *** (HTTP 401 to POST /v1/responses at {address}; check `upstream.api_key`). "
        f"(request id {REQUEST_ID})"
    )
    assert service.request_headers[-1][b"authorization"] == f"Bearer {KEY}".encode()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (429, "insufficient_quota", "rate_limit_exceeded"),
        (429, None, "rate_limit_exceeded"),
        (400, "invalid_prompt", "invalid_prompt"),
        (404, "model_not_found", "server_error"),
        (500, None, "server_error"),
    ],
)
def test_a_refusal_keeps_its_words_and_finds_its_code(
    client: openai.OpenAI, service: BrokenService, way: Way, status: int, code: str | None, expected: str
) -> None:
    service.response = make_error_response(status, "No.", code)

    error = error_of(failed_run(client, way))

    assert error == (expected, f"No. (request id {REQUEST_ID})")


@pytest.mark.parametrize(
    "body",
    [
        b'{"detail": "No."}',
        b'{"detail": [{"loc": ["body", "input"], "msg": "No.", "type": "missing"}]}',
        b'{"error": "No."}',
        b'{"error": {"message": "No."}}',
        b'{"error": {"message": "No.", "code": 400, "type": null, "param": null}}',
        b'{"message": "No.", "object": "error"}',
    ],
)
def test_s6_the_words_of_a_refusal_are_found_in_every_form(
    client: openai.OpenAI, service: BrokenService, body: bytes, way: Way
) -> None:
    service.response = CannedResponse(400, body)

    code, message = error_of(failed_run(client, way))

    assert code == "server_error"
    assert message in (f"No. (request id {REQUEST_ID})", f"input: No. (request id {REQUEST_ID})")


@pytest.mark.parametrize("body", [b'{"detail": [7]}', b'{"detail": []}', b'{"detail": {}}', b"[]", b"{}", b""])
def test_s6_a_refusal_without_words_is_told_by_its_status(
    client: openai.OpenAI, service: BrokenService, body: bytes
) -> None:
    service.response = CannedResponse(400, body)

    _, message = error_of(failed_run(client, polled))

    assert "answered HTTP 400 without a reason" in message


def test_an_answer_that_is_no_json_is_told_with_the_address_to_check(
    client: openai.OpenAI, service: BrokenService
) -> None:
    service.response = CannedResponse(body=b"<html>Please log in</html>", content_type=b"text/html")

    code, message = error_of(failed_run(client, polled))

    assert code == "server_error"
    assert "not a JSON object; check `upstream.base_url`" in message


BEGUN = (
    b'data: {"type":"response.created","response":{"id":"resp_1","model":"gpt-4o"}}\n\n'
    b'data: {"type":"response.output_item.added","output_index":0,"item":{"type":"message","id":"msg_1"}}\n\n'
    b'data: {"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Once upon"}\n\n'
)


def test_s4_a_stream_needs_its_words_and_its_last_event_and_nothing_else(
    client: openai.OpenAI, service: BrokenService
) -> None:
    ended = b'data: {"type":"response.completed","response":{"status":"completed","output":null}}\n\ndata: [DONE]\n\n'
    words = b'data: {"type":"response.output_text.delta","delta":"Once upon"}\n\n'
    service.response = CannedResponse(body=words + ended, content_type=b"text/event-stream")
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Tell me a story"}])

    events: list[Any] = list(client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True))

    newest = client.beta.threads.messages.list(thread.id).data[0]
    assert events[-1].event == "thread.run.completed"
    assert newest.content[0].to_dict()["text"] == {"value": "Once upon", "annotations": []}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (
            CannedResponse(body=BEGUN, content_type=b"text/event-stream", breaks_connection=True),
            "broke off in the middle",
        ),
        (CannedResponse(body=BEGUN, content_type=b"text/event-stream"), "ended its stream before"),
    ],
    ids=["hangs up", "ends early"],
)
def test_a_stream_that_breaks_keeps_what_was_said_and_closes_it(
    client: openai.OpenAI, service: BrokenService, answer: CannedResponse, said: str
) -> None:
    service.response = answer
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Tell me a story"}])

    events: list[Any] = list(client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True))

    newest = client.beta.threads.messages.list(thread.id).data[0]
    incomplete, step, run = (event.data for event in events[-3:])
    assert [event.event for event in events[-3:]] == [
        "thread.message.incomplete",
        "thread.run.step.failed",
        "thread.run.failed",
    ]
    assert (incomplete.incomplete_details.reason, step.last_error.code) == ("run_failed", "server_error")
    assert said in run.last_error.message
    assert newest.content[0].to_dict()["text"] == {"value": "Once upon", "annotations": []}
