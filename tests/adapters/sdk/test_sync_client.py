"""The synchronous SDK client, answered in the process."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

import asyncio
import copy
import multiprocessing
import pickle
import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, cast

import httpx
import openai
import pytest
from openai import AssistantEventHandler
from openai.types.beta import AssistantStreamEvent
from typing_extensions import override

from tests.adapters.loopback_service import LoopbackService
from tests.adapters.scripted_backend import RUN_ID, THREAD_ID, Gate, ScriptedBackend, make_delta_event, make_run_event
from threadbridge_adapters.sdk import openai_client, wrap

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")


def from_configuration(url: str) -> openai.OpenAI:
    return openai_client(client_options={"base_url": url, "api_key": "sk-mine"})


def from_the_sdks_own(url: str) -> openai.OpenAI:
    return wrap(openai.OpenAI(base_url=url, api_key="sk-mine"))


def from_one_with_its_own_httpx_client(url: str) -> openai.OpenAI:
    return wrap(openai.OpenAI(base_url=url, api_key="sk-mine", http_client=httpx.Client()))  # type: ignore[arg-type,unused-ignore]


def from_azures(url: str) -> openai.OpenAI:
    return wrap(openai.AzureOpenAI(azure_endpoint=url.removesuffix("/v1"), api_key="sk-mine", api_version="2024-05-01"))


CLIENTS: dict[str, Callable[[str], openai.OpenAI]] = {
    "openai_client": from_configuration,
    "wrap": from_the_sdks_own,
    "wrap-httpx": from_one_with_its_own_httpx_client,
    "wrap-azure": from_azures,
}


@pytest.fixture(params=CLIENTS)
def client(
    request: pytest.FixtureRequest, backend: ScriptedBackend, service: LoopbackService
) -> Generator[openai.OpenAI]:
    with CLIENTS[request.param](service.url) as made:
        yield made


def events(client: openai.OpenAI) -> Iterator[AssistantStreamEvent]:
    return client.beta.threads.runs.create(THREAD_ID, assistant_id="asst_1", stream=True)


def test_an_assistants_call_is_answered_without_leaving_the_process(
    client: openai.OpenAI, service: LoopbackService
) -> None:
    made = client.beta.threads.create(metadata={"a": "b"})

    found = client.beta.threads.retrieve(made.id)
    assert found.metadata == {"a": "b"}
    assert service.requests == []


def test_an_unknown_id_raises_the_sdks_own_error_with_the_legacy_body(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as raised:
        client.beta.threads.retrieve("thread_unknown")

    assert raised.value.body == {
        "message": "No thread found with id 'thread_unknown'.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_a_refusal_of_a_stream_is_an_error_of_the_call(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=f"already has an active run {RUN_ID}"):
        client.beta.threads.runs.create(THREAD_ID, assistant_id="asst_1")


def test_the_raw_response_shows_the_headers_of_the_wire(client: openai.OpenAI) -> None:
    raw = client.beta.threads.runs.with_raw_response.retrieve(RUN_ID, thread_id=THREAD_ID)

    assert raw.headers["openai-poll-after-ms"] == "250"
    assert raw.parse().status == "in_progress"


def test_the_first_event_arrives_before_the_last_is_produced(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    gate = Gate()
    backend.script = [
        make_run_event("created"),
        make_delta_event("Hel"),
        gate,
        make_delta_event("lo"),
        make_run_event("completed"),
    ]
    stream = events(client)

    begun = [next(stream).event, next(stream).event]
    produced_by_then = list(backend.produced_events)
    gate.open()
    rest = [event.event for event in stream]

    assert begun == produced_by_then == ["thread.run.created", "thread.message.delta"]
    assert rest == ["thread.message.delta", "thread.run.completed"]


def test_leaving_a_stream_early_detaches_from_the_run(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    backend.script = [make_run_event("created"), Gate()]
    stream = cast("openai.Stream[AssistantStreamEvent]", events(client))
    next(stream)

    stream.close()

    assert backend.stream_closed.wait(5)


def test_tool_outputs_can_be_submitted_from_the_handler_of_the_open_stream(
    client: openai.OpenAI, backend: ScriptedBackend
) -> None:
    gate = Gate()
    backend.script = [make_run_event("requires_action"), gate, make_run_event("completed")]
    seen: list[str] = []

    class Handler(AssistantEventHandler):
        @override
        def on_event(self, event: AssistantStreamEvent) -> None:
            seen.append(event.event)
            if event.event == "thread.run.requires_action":
                with client.beta.threads.runs.submit_tool_outputs_stream(
                    run_id=RUN_ID, thread_id=THREAD_ID, tool_outputs=[], event_handler=AssistantEventHandler()
                ) as nested:
                    nested.until_done()
                gate.open()

    with client.beta.threads.runs.stream(thread_id=THREAD_ID, assistant_id="asst_1", event_handler=Handler()) as stream:
        stream.until_done()

    assert seen == ["thread.run.requires_action", "thread.run.completed"]
    assert len(backend.submitted_bodies) == 1


def test_a_slow_reader_gets_every_event_of_a_long_stream(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    backend.script = [make_delta_event("x" * 1000) for _ in range(600)]

    received = sum(1 for _ in events(client))

    assert received == 600


def test_a_call_that_takes_longer_than_the_read_timeout_raises_the_sdks_timeout(
    client: openai.OpenAI, backend: ScriptedBackend
) -> None:
    backend.creation_gate = Gate()

    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.05, max_retries=0).beta.threads.create()

    backend.creation_gate.open()


def test_a_call_that_takes_longer_than_the_read_timeout_is_finished_all_the_same(
    client: openai.OpenAI, backend: ScriptedBackend
) -> None:
    backend.creation_gate = Gate()
    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.05, max_retries=0).beta.threads.create()

    backend.creation_gate.open()

    assert backend.creation_done.wait(5)


def test_a_look_that_takes_longer_than_the_read_timeout_is_given_up(
    client: openai.OpenAI, backend: ScriptedBackend
) -> None:
    backend.retrieval_gate = Gate()

    with pytest.raises(openai.APITimeoutError):
        client.with_options(timeout=0.3, max_retries=0).beta.threads.runs.retrieve(RUN_ID, thread_id=THREAD_ID)

    assert backend.retrieval_gate.exited.wait(5)


def test_a_stream_that_begins_after_its_caller_left_is_closed(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    backend.script = [make_run_event("created"), Gate()]
    backend.creation_gate = Gate()
    with pytest.raises(openai.APITimeoutError):
        events(client.with_options(timeout=0.05, max_retries=0))

    backend.creation_gate.open()

    assert backend.stream_closed.wait(5)


def test_an_event_that_takes_longer_than_the_read_timeout_raises(
    client: openai.OpenAI, backend: ScriptedBackend
) -> None:
    backend.script = [make_run_event("created"), Gate()]
    stream = events(client.with_options(timeout=0.2, max_retries=0))
    next(stream)

    with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout)):
        next(stream)

    assert backend.stream_closed.wait(5)


def test_it_can_be_used_inside_a_running_loop(client: openai.OpenAI) -> None:
    async def notebook() -> str:
        return client.beta.threads.create().id

    assert asyncio.run(notebook()) == THREAD_ID


def test_many_threads_can_share_it(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    backend.script = [make_delta_event("x")] * 20
    counts: list[int] = []

    def use() -> None:
        counts.append(sum(1 for _ in events(client)))

    users = [threading.Thread(target=use) for _ in range(20)]
    for user in users:
        user.start()
    for user in users:
        user.join()

    assert counts == [20] * 20


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_it_goes_on_working_after_a_fork(client: openai.OpenAI) -> None:
    client.beta.threads.create()
    context: Any = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()

    child = context.Process(target=lambda: answers.put(client.beta.threads.create().id))
    child.start()
    child.join(10)

    assert child.exitcode == 0
    assert answers.get() == THREAD_ID


def test_closing_the_client_closes_the_backend_it_opened(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    client.beta.threads.create()

    client.close()

    assert backend.close_count == 1


def test_other_calls_go_to_the_network_with_their_streamed_bodies(
    client: openai.OpenAI, service: LoopbackService
) -> None:
    upload = b"".join(b"%06d" % number for number in range(100_000))

    with client.files.with_streaming_response.create(file=("a.txt", upload), purpose="assistants") as response:
        echoed = b"".join(response.iter_bytes())

    assert upload in echoed
    assert len(service.requests[0].body_chunks) > 1
    assert "sk-mine" in {
        service.requests[0].headers.get("api-key", ""),
        service.requests[0].headers.get("authorization", "").removeprefix("Bearer "),
    }


def test_a_wrapped_client_keeps_its_options() -> None:
    genuine = openai.OpenAI(api_key="sk-mine", timeout=7, max_retries=5, default_headers={"x-mine": "1"})

    with wrap(genuine) as wrapped:
        assert type(wrapped) is openai.OpenAI
        assert (wrapped.timeout, wrapped.max_retries, wrapped.api_key) == (7, 5, "sk-mine")
        assert wrapped.default_headers["x-mine"] == "1"


def test_hooks_of_the_http_client_see_assistants_requests_too(backend: ScriptedBackend) -> None:
    seen: list[httpx.Request] = []
    http = httpx.Client(event_hooks={"request": [seen.append]})

    with wrap(openai.OpenAI(api_key="sk-mine", http_client=http)) as wrapped:  # type: ignore[arg-type,unused-ignore]
        wrapped.beta.threads.create()

    assert [(request.url.path, request.headers["host"]) for request in seen] == [("/v1/threads", "api.openai.com")]


def test_what_stays_in_the_process_can_be_carried_out_of_it(client: openai.OpenAI) -> None:
    answer = client.beta.threads.with_raw_response.create(metadata={"a": "b"}).http_response

    carried = pickle.loads(pickle.dumps(answer))  # noqa: S301 - its own
    assert (carried.status_code, carried.json()) == (200, answer.json())
    assert carried.headers["x-request-id"] == answer.headers["x-request-id"]
    for shown in (answer.request, carried.request, copy.copy(answer.request)):
        assert shown.method == "POST"
        assert shown.url.path.endswith("/threads")
        assert shown.headers["openai-beta"] == "assistants=v2"
        assert shown.read() == b'{"metadata":{"a":"b"}}'


class Elsewhere(openai.OpenAI):
    """Sends its requests to another thread than its program says."""

    @override
    def _prepare_request(self, request: Any) -> None:
        request.url = request.url.copy_with(path=request.url.path.replace("thread_elsewhere", THREAD_ID))


def test_a_request_goes_where_its_url_says_in_the_end(backend: ScriptedBackend) -> None:
    with wrap(Elsewhere(base_url="http://127.0.0.1:9/v1", api_key="sk-mine")) as wrapped:
        wrapped.beta.threads.create()

        assert wrapped.beta.threads.retrieve("thread_elsewhere").id == THREAD_ID


def test_a_request_that_stays_in_the_process_is_not_logged_as_sent(
    client: openai.OpenAI, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        client.beta.threads.create()

    (message,) = [record.getMessage() for record in caplog.records if record.name in {"httpx", "httpx2"}]
    assert message.startswith("Answered in the process: POST /")
    assert message.endswith("/threads")


def test_a_closed_client_says_so(client: openai.OpenAI) -> None:
    client.close()

    with pytest.raises((RuntimeError, openai.APIConnectionError)) as refused:
        client.with_options(max_retries=0).beta.threads.create()

    assert "closed" in f"{refused.value} {refused.value.__cause__}"


def test_what_reads_a_stream_whole_and_fails_leaves_it(client: openai.OpenAI, backend: ScriptedBackend) -> None:
    backend.script = [make_run_event("created"), Gate()]
    hasty = client.with_options(timeout=0.2, max_retries=0)
    body = {"assistant_id": "asst_1", "stream": True}

    with pytest.raises((openai.APITimeoutError, httpx.ReadTimeout, httpx.TimeoutException)):
        hasty.post(
            f"/threads/{THREAD_ID}/runs",
            body=body,
            cast_to=object,
            options={"headers": {"OpenAI-Beta": "assistants=v2"}},
        )

    assert backend.stream_closed.wait(5)


def test_what_the_http_client_puts_into_every_query_is_seen(backend: ScriptedBackend) -> None:
    http = httpx.Client(params={"strange": "1"})

    with wrap(openai.OpenAI(api_key="sk-mine", http_client=http)) as wrapped:  # type: ignore[arg-type,unused-ignore]
        answer = wrapped.beta.threads.with_raw_response.create()

    assert "strange" in answer.headers["threadbridge-warning"]


def test_a_base_url_with_an_unusual_path_is_served_too(backend: ScriptedBackend) -> None:
    with wrap(openai.OpenAI(api_key="sk-mine", base_url="http://127.0.0.1:9/team/llm")) as wrapped:
        assert wrapped.beta.threads.create().id == THREAD_ID
