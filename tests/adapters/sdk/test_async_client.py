"""The asynchronous SDK client, answered in the process, on the caller's own loop."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable

import httpx
import openai
import pytest
from openai.types.beta import AssistantStreamEvent

from tests.adapters.loopback_service import LoopbackService
from tests.adapters.scripted_backend import RUN_ID, THREAD_ID, Gate, ScriptedBackend, make_delta_event, make_run_event
from threadbridge_adapters.sdk import async_openai_client, wrap

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def from_configuration(url: str) -> openai.AsyncOpenAI:
    return async_openai_client(client_options={"base_url": url, "api_key": "sk-mine"})


def from_the_sdks_own(url: str) -> openai.AsyncOpenAI:
    return wrap(openai.AsyncOpenAI(base_url=url, api_key="sk-mine"))


def from_one_with_its_own_httpx_client(url: str) -> openai.AsyncOpenAI:
    http: object = httpx.AsyncClient()
    return wrap(openai.AsyncOpenAI(base_url=url, api_key="sk-mine", http_client=http))  # type: ignore[arg-type]


def from_one_on_aiohttp(url: str) -> openai.AsyncOpenAI:
    return wrap(openai.AsyncOpenAI(base_url=url, api_key="sk-mine", http_client=openai.DefaultAioHttpClient()))


def from_azures(url: str) -> openai.AsyncOpenAI:
    endpoint = url.removesuffix("/v1")
    return wrap(openai.AsyncAzureOpenAI(azure_endpoint=endpoint, api_key="sk-mine", api_version="2024-05-01"))


CLIENTS: dict[str, Callable[[str], openai.AsyncOpenAI]] = {
    "async_openai_client": from_configuration,
    "wrap": from_the_sdks_own,
    "wrap-httpx": from_one_with_its_own_httpx_client,
    "wrap-aiohttp": from_one_on_aiohttp,
    "wrap-azure": from_azures,
}


@pytest.fixture(params=CLIENTS)
async def client(
    request: pytest.FixtureRequest, backend: ScriptedBackend, service: LoopbackService
) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with CLIENTS[request.param](service.url) as made:
        yield made


async def events(client: openai.AsyncOpenAI) -> openai.AsyncStream[AssistantStreamEvent]:
    return await client.beta.threads.runs.create(THREAD_ID, assistant_id="asst_1", stream=True)


async def test_an_assistants_call_is_answered_without_leaving_the_process(
    client: openai.AsyncOpenAI, service: LoopbackService
) -> None:
    made = await client.beta.threads.create(metadata={"a": "b"})

    found = await client.beta.threads.retrieve(made.id)
    assert found.metadata == {"a": "b"}
    assert service.requests == []


async def test_an_unknown_id_raises_the_sdks_own_error(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="No thread found with id 'thread_unknown'"):
        await client.beta.threads.retrieve("thread_unknown")


async def test_the_first_event_arrives_before_the_last_is_produced(
    client: openai.AsyncOpenAI, backend: ScriptedBackend
) -> None:
    gate = Gate()
    backend.script = [
        make_run_event("created"),
        make_delta_event("Hel"),
        gate,
        make_delta_event("lo"),
        make_run_event("completed"),
    ]
    stream = await events(client)

    begun = [(await anext(stream)).event, (await anext(stream)).event]
    produced_by_then = list(backend.produced_events)
    gate.open()
    rest = [event.event async for event in stream]

    assert begun == produced_by_then == ["thread.run.created", "thread.message.delta"]
    assert rest == ["thread.message.delta", "thread.run.completed"]


async def test_leaving_a_stream_early_detaches_from_the_run(
    client: openai.AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script = [make_run_event("created"), Gate()]
    stream = await events(client)
    await anext(stream)

    await stream.close()

    assert backend.stream_closed.is_set()


async def test_tool_outputs_can_be_submitted_while_the_stream_is_open(
    client: openai.AsyncOpenAI, backend: ScriptedBackend
) -> None:
    gate = Gate()
    backend.script = [make_run_event("requires_action"), gate, make_run_event("completed")]
    stream = await events(client)
    await anext(stream)

    async with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=RUN_ID, thread_id=THREAD_ID, tool_outputs=[]
    ) as nested:
        await nested.until_done()
    gate.open()

    assert [event.event async for event in stream] == ["thread.run.completed"]


async def test_a_slow_reader_gets_every_event_of_a_long_stream(
    client: openai.AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script = [make_delta_event("x" * 1000) for _ in range(600)]
    stream = await events(client)

    received = [event async for event in stream]

    assert len(received) == 600


async def test_a_call_that_takes_longer_than_the_read_timeout_is_finished_all_the_same(
    client: openai.AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.creation_gate = Gate()

    with pytest.raises(openai.APITimeoutError):
        await client.with_options(timeout=0.05, max_retries=0).beta.threads.create()

    backend.creation_gate.open()
    await asyncio.sleep(0.05)
    assert THREAD_ID in backend.threads


async def test_an_event_that_takes_longer_than_the_read_timeout_raises(
    client: openai.AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script = [make_run_event("created"), Gate()]
    stream = await events(client.with_options(timeout=0.05, max_retries=0))
    await anext(stream)

    with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
        await anext(stream)

    assert backend.stream_closed.is_set()


async def test_a_request_that_stays_in_the_process_is_not_logged_as_sent(
    client: openai.AsyncOpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        await client.beta.threads.create()

    (message,) = [record.getMessage() for record in caplog.records if record.name in {"httpx", "httpx2"}]
    assert message.startswith("Answered in the process: POST /")
    assert message.endswith("/threads")


async def test_a_closed_client_says_so(client: openai.AsyncOpenAI) -> None:
    await client.close()

    with pytest.raises((RuntimeError, openai.APIConnectionError)) as refused:
        await client.with_options(max_retries=0).beta.threads.create()

    assert "closed" in f"{refused.value} {refused.value.__cause__}"


async def test_what_reads_a_stream_whole_and_fails_leaves_it(
    client: openai.AsyncOpenAI, backend: ScriptedBackend
) -> None:
    backend.script = [make_run_event("created"), Gate()]
    hasty = client.with_options(timeout=0.2, max_retries=0)
    body = {"assistant_id": "asst_1", "stream": True}

    with pytest.raises((openai.APITimeoutError, httpx.TimeoutException)):
        await hasty.post(
            f"/threads/{THREAD_ID}/runs",
            body=body,
            cast_to=object,
            options={"headers": {"OpenAI-Beta": "assistants=v2"}},
        )

    assert await asyncio.to_thread(backend.stream_closed.wait, 5)


async def test_fifty_runs_stream_at_once(client: openai.AsyncOpenAI, backend: ScriptedBackend) -> None:
    backend.script = [make_delta_event("x")] * 20

    async def count() -> int:
        return len([event async for event in await events(client)])

    assert await asyncio.gather(*(count() for _ in range(50))) == [20] * 50


async def test_closing_the_client_closes_the_backend_it_opened(
    client: openai.AsyncOpenAI, backend: ScriptedBackend
) -> None:
    await client.beta.threads.create()

    await client.close()

    assert backend.close_count == 1


async def test_other_calls_go_to_the_network_with_their_streamed_bodies(
    client: openai.AsyncOpenAI, service: LoopbackService
) -> None:
    upload = b"".join(b"%06d" % number for number in range(100_000))

    async with client.files.with_streaming_response.create(file=("a.txt", upload), purpose="assistants") as response:
        echoed = b"".join([part async for part in response.iter_bytes()])

    assert upload in echoed
    assert len(service.requests[0].body_chunks) > 1


def test_it_can_be_used_under_one_loop_after_another(backend: ScriptedBackend) -> None:
    client = async_openai_client(client_options={"api_key": "sk-mine"})

    async def use() -> str:
        return (await client.beta.threads.create()).id

    assert [asyncio.run(use()), asyncio.run(use())] == [THREAD_ID, THREAD_ID]
