"""Streams as frameworks read them: left early, continued from inside, relayed to a browser."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import openai
import pytest
from openai import AssistantEventHandler, AsyncAssistantEventHandler
from openai.types.beta import AssistantStreamEvent
from typing_extensions import override

from tests.clients.client_kinds import WEATHER, make_outputs, read_text, user_message

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

QUESTION = 'CALL get_weather {"city": "Oslo"}'


def test_c3_a_stream_left_at_requires_action_is_continued_by_the_next(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[user_message(QUESTION)])

    with client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True) as stream:
        waiting = next(event.data for event in stream if event.event == "thread.run.requires_action")
    with client.beta.threads.runs.submit_tool_outputs(
        waiting.id, thread_id=thread.id, tool_outputs=make_outputs(waiting), stream=True
    ) as continued:
        names = [event.event for event in continued]

    assert (names[0], names[-1]) == ("thread.run.step.completed", "thread.run.completed")
    assert client.beta.threads.runs.retrieve(waiting.id, thread_id=thread.id).status == "completed"


async def test_c3_an_asynchronous_stream_may_be_left_as_well(async_client: openai.AsyncOpenAI) -> None:
    assistant = await async_client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = await async_client.beta.threads.create(messages=[user_message(QUESTION)])

    async with async_client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
        waiting = await anext(event.data async for event in stream if event.event == "thread.run.requires_action")
    async with async_client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=waiting.id, thread_id=thread.id, tool_outputs=make_outputs(waiting)
    ) as continued:
        names = [event.event async for event in continued]

    assert (names[0], names[-1]) == ("thread.run.step.completed", "thread.run.completed")


class Handler(AssistantEventHandler):
    """The handler of every tutorial: answers calls from within, on a stream of its own."""

    def __init__(self, client: openai.OpenAI, texts: list[str]) -> None:
        super().__init__()
        self._openai = client
        self._texts = texts

    @override
    def on_text_done(self, text: Any) -> None:
        self._texts.append(text.value)

    @override
    def on_event(self, event: AssistantStreamEvent) -> None:
        if event.event == "thread.run.requires_action":
            with self._openai.beta.threads.runs.submit_tool_outputs_stream(
                run_id=event.data.id,
                thread_id=event.data.thread_id,
                tool_outputs=make_outputs(event.data),
                event_handler=Handler(self._openai, self._texts),
            ) as stream:
                stream.until_done()


class AsyncHandler(AsyncAssistantEventHandler):
    """The same, asynchronous."""

    def __init__(self, client: openai.AsyncOpenAI, texts: list[str]) -> None:
        super().__init__()
        self._openai = client
        self._texts = texts

    @override
    async def on_text_done(self, text: Any) -> None:
        self._texts.append(text.value)

    @override
    async def on_event(self, event: AssistantStreamEvent) -> None:
        if event.event == "thread.run.requires_action":
            async with self._openai.beta.threads.runs.submit_tool_outputs_stream(
                run_id=event.data.id,
                thread_id=event.data.thread_id,
                tool_outputs=make_outputs(event.data),
                event_handler=AsyncHandler(self._openai, self._texts),
            ) as stream:
                await stream.until_done()


TWO_ROUNDS = "CALL get_weather {}\nCALL get_weather {}\nTHEN CALL get_weather {}"


def test_c4_outputs_are_submitted_from_inside_the_handler_again_and_again(client: openai.OpenAI) -> None:
    texts: list[str] = []
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[user_message(TWO_ROUNDS)])

    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=Handler(client, texts)
    ) as stream:
        stream.until_done()

    assert texts == ["RESULT: sunny; sunny; sunny"]
    assert client.beta.threads.runs.list(thread.id).data[0].status == "completed"


async def test_c4_outputs_are_submitted_from_inside_the_asynchronous_handler(
    async_client: openai.AsyncOpenAI,
) -> None:
    texts: list[str] = []
    assistant = await async_client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = await async_client.beta.threads.create(messages=[user_message(TWO_ROUNDS)])

    async with async_client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=AsyncHandler(async_client, texts)
    ) as stream:
        await stream.until_done()

    assert texts == ["RESULT: sunny; sunny; sunny"]


def test_c8_a_tool_may_cancel_its_own_run(client: openai.OpenAI) -> None:
    class CancellingHandler(AssistantEventHandler):
        @override
        def on_event(self, event: AssistantStreamEvent) -> None:
            if event.event == "thread.run.requires_action":
                client.beta.threads.runs.cancel(event.data.id, thread_id=event.data.thread_id)

    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[user_message(QUESTION)])
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant.id, event_handler=CancellingHandler()
    ) as stream:
        stream.until_done()

    client.beta.threads.messages.create(thread.id, role="user", content="SAY here")
    following = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, poll_interval_ms=5
    )

    statuses = [run.status for run in client.beta.threads.runs.list(thread.id, order="asc")]
    assert statuses == ["cancelled", "completed"]
    assert following.status == "completed"


def texts_of(relayed: Iterable[Any]) -> dict[str, str]:
    """What a browser makes of relayed events: the text of each message that was announced."""
    texts: dict[str, str] = {}
    for event in relayed:
        match event:
            case {"event": "thread.message.created", "data": {"id": message}}:
                texts[message] = ""
            case {"event": "thread.message.delta", "data": {"id": message, "delta": {"content": [part]}}}:
                texts[message] += part["text"]["value"]  # a message that was not announced is a KeyError
            case _:
                pass
    return texts


def test_c18_a_relay_to_a_browser_finds_each_message_before_its_deltas(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message("SAY one two three")])

    stream = client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True)
    texts = texts_of([event.to_dict() for event in stream])

    newest = client.beta.threads.messages.list(thread.id, limit=1).data[0]
    assert texts == {newest.id: "one two three"}
    assert read_text(newest) == "one two three"


def test_c18_a_relay_to_a_browser_gets_the_whole_run_that_requires_action(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    thread = client.beta.threads.create(messages=[user_message(QUESTION)])

    with client.beta.threads.runs.create(thread.id, assistant_id=assistant.id, stream=True) as stream:
        last: Any = [event.to_dict() for event in stream][-1]

    stored = client.beta.threads.runs.retrieve(last["data"]["id"], thread_id=thread.id).to_dict()
    assert last["event"] == "thread.run.requires_action"
    assert {**last["data"], "tool_resources": {}} == stored


def test_a99_a_stream_can_be_consumed_raw(client: openai.OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o")
    thread = client.beta.threads.create(messages=[user_message("SAY one two")])

    with client.beta.threads.runs.with_streaming_response.create(
        thread_id=thread.id, assistant_id=assistant.id, stream=True
    ) as response:
        text = b"".join(response.iter_bytes()).decode()

    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert text.endswith("event: done\ndata: [DONE]\n\n")
    assert text.count("event: thread.message.completed\n") == 1
