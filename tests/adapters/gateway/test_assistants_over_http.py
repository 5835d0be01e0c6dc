"""The Assistants API over HTTP, with the SDK as the client."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncGenerator, Generator
from urllib.parse import urlsplit

import aiohttp
import openai
import pytest

from tests.adapters.scripted_backend import RUN_ID, THREAD_ID, Gate, ScriptedBackend, make_delta_event, make_run_event

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

BETA = {"OpenAI-Beta": "assistants=v2"}


@pytest.fixture(params=["openai", "azure"])
def client(request: pytest.FixtureRequest, url: str) -> Generator[openai.OpenAI]:
    made: openai.OpenAI = (
        openai.OpenAI(base_url=url, api_key="sk-mine", max_retries=0)
        if request.param == "openai"
        else openai.AzureOpenAI(azure_endpoint=url.removesuffix("/v1"), api_key="sk-mine", api_version="2024-05-01")
    )
    with made:
        yield made


@pytest.fixture
async def http() -> AsyncGenerator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(headers=BETA) as session:
        yield session


def test_a_thread_is_made_found_and_not_found(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    made = client.beta.threads.create(metadata={"a": "b"})

    assert client.beta.threads.retrieve(made.id).metadata == {"a": "b"}
    with pytest.raises(openai.NotFoundError, match="No thread found with id 'thread_unknown'"):
        client.beta.threads.retrieve("thread_unknown")


def test_delete_and_cancel_take_the_empty_json_bodies_that_sdks_send(
    client: openai.OpenAI, backend: ScriptedBackend
) -> None:
    deleted = client.beta.threads.delete(THREAD_ID)
    cancelled = client.beta.threads.runs.cancel(RUN_ID, thread_id=THREAD_ID)

    assert deleted.deleted
    assert cancelled.status == "cancelling"


def test_the_poll_header_reaches_the_client(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    raw = client.beta.threads.runs.with_raw_response.retrieve(RUN_ID, thread_id=THREAD_ID)

    assert raw.headers["openai-poll-after-ms"] == "250"


def test_the_first_event_arrives_before_the_last_is_produced(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    gate = Gate()
    backend.script = [
        make_run_event("created"),
        make_delta_event("Hel"),
        gate,
        make_delta_event("lo"),
        make_run_event("completed"),
    ]
    stream = client.beta.threads.runs.create(THREAD_ID, assistant_id="asst_1", stream=True)

    begun = [next(stream).event, next(stream).event]
    produced_by_then = list(backend.produced_events)
    gate.open()
    rest = [event.event for event in stream]

    assert begun == produced_by_then == ["thread.run.created", "thread.message.delta"]
    assert rest == ["thread.message.delta", "thread.run.completed"]


def test_a_client_that_hangs_up_is_detached_from_the_run(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    backend.script = [make_run_event("created"), Gate()]
    stream = client.beta.threads.runs.create(THREAD_ID, assistant_id="asst_1", stream=True)
    next(stream)

    stream.close()

    assert backend.stream_closed.wait(5)


def test_tool_outputs_can_be_submitted_while_the_stream_is_open(
    client: openai.OpenAI, backend: ScriptedBackend
) -> None:
    gate = Gate()
    backend.script = [make_run_event("requires_action"), gate, make_run_event("completed")]
    stream = client.beta.threads.runs.create(THREAD_ID, assistant_id="asst_1", stream=True)
    next(stream)

    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=RUN_ID, thread_id=THREAD_ID, tool_outputs=[]
    ) as nested:
        nested.until_done()
    gate.open()

    assert [event.event for event in stream] == ["thread.run.completed"]


async def test_the_stream_ends_with_the_done_frame(
    http: aiohttp.ClientSession, url: str, backend: ScriptedBackend
) -> None:
    backend.script = [make_run_event("completed")]

    async with http.post(f"{url}/threads/{THREAD_ID}/runs", json={"stream": True}) as response:
        body = await response.read()

    assert response.content_type == "text/event-stream"
    assert response.headers["x-accel-buffering"] == "no"
    assert body.startswith(b"event: thread.run.completed\ndata: {")
    assert body.endswith(b"event: done\ndata: [DONE]\n\n")


async def test_fifty_runs_stream_at_once(http: aiohttp.ClientSession, url: str, backend: ScriptedBackend) -> None:
    backend.script = [make_delta_event("x")] * 20

    async def count() -> int:
        async with http.post(f"{url}/threads/{THREAD_ID}/runs", json={"stream": True}) as response:
            return (await response.read()).count(b"thread.message.delta\n")

    assert await asyncio.gather(*(count() for _ in range(50))) == [20] * 50


async def test_a_body_beyond_the_limit_is_refused_in_the_envelope(
    http: aiohttp.ClientSession, url: str, backend: ScriptedBackend
) -> None:
    async with http.post(f"{url}/threads", data=io.BytesIO(b" " * 3_000_000)) as response:
        body = await response.json()

    assert response.status == 413
    assert body["error"]["type"] == "invalid_request_error"
    assert backend.threads == {}


async def test_a_client_that_leaves_in_the_middle_of_its_body_changes_nothing(
    url: str, backend: ScriptedBackend
) -> None:
    address = urlsplit(url)
    head = b"POST /v1/threads HTTP/1.1\r\nhost: x\r\nopenai-beta: assistants=v2\r\ncontent-length: 100\r\n\r\n{"

    with socket.create_connection((str(address.hostname), address.port or 0)) as connection:
        connection.sendall(head)
    await asyncio.sleep(0.05)

    assert backend.threads == {}


@pytest.mark.parametrize("path", ["/", "/assistants", "/v2/threads", "/v1"])
async def test_a_path_outside_the_api_is_a_404_in_the_envelope(
    http: aiohttp.ClientSession, url: str, path: str
) -> None:
    async with http.get(url.removesuffix("/v1") + path) as response:
        body = await response.json()

    assert response.status == 404
    assert body["error"]["message"] == f"Invalid URL (GET {path})"


async def test_the_health_check_answers(http: aiohttp.ClientSession, url: str) -> None:
    async with http.get(url.removesuffix("/v1") + "/healthz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ok"})


@pytest.mark.parametrize("lines", [("assistants=v2", "realtime=v1"), ("realtime=v1", "assistants=v2")])
async def test_a2_the_beta_header_may_be_repeated_as_well_as_hold_a_list(url: str, lines: tuple[str, str]) -> None:
    headers = [("OpenAI-Beta", line) for line in lines]

    async with aiohttp.ClientSession() as http, http.get(f"{url}/threads/thread_unknown", headers=headers) as response:
        assert response.status == 404


@pytest.mark.parametrize("path", ["/nothing", "/v1"])
async def test_a4_a_path_outside_the_api_is_refused_with_the_usual_headers_and_layout(
    http: aiohttp.ClientSession, url: str, path: str
) -> None:
    async with http.get(url.removesuffix("/v1") + path) as response:
        body = await response.text()

    assert response.headers["x-request-id"].startswith("req_")
    assert body.startswith('{\n  "error": {\n    "message": ')
