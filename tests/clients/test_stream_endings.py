"""Every way a stream can end, as the SDK sees it through both doors; and how it is taken up again."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import openai
import pytest

import threadbridge
from tests.clients.client_kinds import WEATHER, make_outputs, simulated_gateway, user_message
from threadbridge.sse import ServerSentEvent, SSEDecoder
from threadbridge_adapters.openai_http.httpx_compat import RESPONSE_TYPE

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

HASTY = {"run_expiry_seconds": 3}


@pytest.fixture(params=["gateway", "in-process"])
def hasty(request: pytest.FixtureRequest) -> Generator[openai.OpenAI]:
    """A client of a service whose runs expire soon."""
    with simulated_gateway(limits=HASTY) as gateway:
        clients = {
            "gateway": lambda: openai.OpenAI(base_url=gateway.url, api_key="sk-mine", max_retries=0),
            "in-process": lambda: threadbridge.openai_client(simulate=True, store=":memory:", limits=HASTY),
        }
        with clients[request.param]() as client:
            yield client


def streamed(client: openai.OpenAI, text: str, **run: Any) -> Any:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[user_message(text)])
    return client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True, **run)


def test_a99_the_sdk_reads_on_after_a_silence() -> None:
    with (
        simulated_gateway(gateway={"keep_alive_seconds": 0.02}) as gateway,
        openai.OpenAI(base_url=gateway.url, api_key="sk-mine", max_retries=0) as client,
    ):
        events = [event.event for event in streamed(client, "SAY one two\nSLOW 0.1")]

    assert events[-1] == "thread.run.completed"


@pytest.mark.parametrize(
    ("text", "last"),
    [
        ("SAY one two", ["thread.message.completed", "thread.run.step.completed", "thread.run.completed"]),
        ("REFUSE No.", ["thread.message.completed", "thread.run.step.completed", "thread.run.completed"]),
        (
            "SAY one two\nINCOMPLETE max_output_tokens",
            ["thread.message.incomplete", "thread.run.step.completed", "thread.run.incomplete"],
        ),
        (
            "SAY one two\nFAIL server_error No.",
            ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed"],
        ),
        ("SAY one two three\nBREAK 6", ["thread.message.incomplete", "thread.run.step.failed", "thread.run.failed"]),
        ("HTTP 400", ["thread.run.queued", "thread.run.in_progress", "thread.run.failed"]),
        ("CALL get_weather {}", ["thread.run.step.delta", "thread.run.step.delta", "thread.run.requires_action"]),
    ],
)
def test_a89_a_stream_ends_with_everything_closed(client: openai.OpenAI, text: str, last: list[str]) -> None:
    events = list(streamed(client, text))

    run = events[-1].data
    assert [event.event for event in events][-3:] == last
    assert client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id).status == run.status


def test_a95_a_run_cancelled_while_it_is_streamed_closes_its_stream(client: openai.OpenAI) -> None:
    stream = streamed(client, "SAY one two three four five six seven\nSLOW 0.05")
    run = next(event.data for event in stream if event.event == "thread.run.in_progress")
    next(event for event in stream if event.event == "thread.message.delta")

    client.beta.threads.runs.cancel(run.id, thread_id=run.thread_id)
    names = [event.event for event in stream if event.event != "thread.message.delta"]

    assert names == [
        "thread.run.cancelling",
        "thread.message.incomplete",
        "thread.run.step.cancelled",
        "thread.run.cancelled",
    ]


def test_a60_a_run_that_expires_while_it_is_streamed_closes_its_stream(hasty: openai.OpenAI) -> None:
    names = [event.event for event in streamed(hasty, "SAY " + "word " * 30 + "\nSLOW 0.2")]

    assert names[-3:] == ["thread.message.incomplete", "thread.run.step.expired", "thread.run.expired"]


def followed(client: openai.OpenAI, run: Any, after: str | None = None) -> list[ServerSentEvent]:
    """The frames of the run's event stream."""
    headers = {"OpenAI-Beta": "assistants=v2"} | ({} if after is None else {"Last-Event-ID": after})
    path = f"/threads/{run.thread_id}/runs/{run.id}/events"
    response: Any = client.get(path, cast_to=RESPONSE_TYPE, options={"headers": headers})
    return SSEDecoder().receive_data(response.content)


def test_a100_a_client_that_hung_up_in_the_middle_gets_the_rest(client: openai.OpenAI) -> None:
    stream = streamed(client, "SAY one two three four five\nSLOW 0.02")
    run = next(event.data for event in stream if event.event == "thread.run.in_progress")
    next(event for event in stream if event.event == "thread.message.delta")
    stream.close()

    told = followed(client, run)
    rests = [followed(client, run, frame.id) for frame in told]

    assert [told[0].event, *(frame.event for frame in told[-2:])] == [
        "thread.run.created",
        "thread.run.completed",
        "done",
    ]
    assert rests == [*(told[at:] for at in range(1, len(told))), told[-1:]]


def test_a_run_is_followed_over_the_streams_of_its_creation_and_its_outputs(client: openai.OpenAI) -> None:
    waiting = list(streamed(client, "CALL get_weather {}"))[-1].data
    continued = client.beta.threads.runs.submit_tool_outputs(
        waiting.id, thread_id=waiting.thread_id, tool_outputs=make_outputs(waiting), stream=True
    )
    second = [event.event for event in continued]

    told = [frame.event for frame in followed(client, waiting)]

    assert told[:3] == ["thread.run.created", "thread.run.queued", "thread.run.in_progress"]
    assert told.count("thread.run.requires_action") == told.count("done") == 1
    assert told[told.index("thread.run.requires_action") + 1 :] == [*second, "done"]


def test_an_unknown_event_id_is_a_bad_request(client: openai.OpenAI) -> None:
    run = list(streamed(client, "SAY one"))[-1].data

    with pytest.raises(openai.BadRequestError) as caught:
        followed(client, run, "of-another-time")

    assert caught.value.code == "unknown_event_id"
