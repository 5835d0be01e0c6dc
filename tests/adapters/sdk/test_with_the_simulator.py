"""The SDK's own loops over the real backend, in one process and without a key."""

# pyright: reportDeprecated=false
# The SDK marks every Assistants method as deprecated; being called all the same is the point of these tests.

from __future__ import annotations

from typing import Any

import pytest
from openai import AssistantEventHandler
from openai.types.beta.threads import Text
from typing_extensions import override

from threadbridge_adapters.sdk import async_openai_client, openai_client

pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated:DeprecationWarning")

WEATHER: Any = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}


def test_a_run_is_made_polled_and_read() -> None:
    with openai_client(simulate=True, store=":memory:") as client:
        assistant = client.beta.assistants.create(model="gpt-4.1")
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "hello"}])
        run = client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        newest = client.beta.threads.messages.list(thread.id).data[0]

    assert run.status == "completed"
    assert newest.content[0].to_dict()["text"] == {"value": "ECHO: hello", "annotations": []}


async def test_an_asynchronous_run_streams_its_text() -> None:
    async with async_openai_client(simulate=True, store=":memory:") as client:
        assistant = await client.beta.assistants.create(model="gpt-4.1")
        thread = await client.beta.threads.create(messages=[{"role": "user", "content": "hello there world"}])
        async with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant.id) as stream:
            texts = [text async for text in stream.text_deltas]

    assert len(texts) > 1
    assert "".join(texts) == "ECHO: hello there world"


def test_tool_outputs_are_submitted_from_within_the_handler() -> None:
    done: list[str] = []

    with openai_client(simulate=True, store=":memory:") as client:

        class Handler(AssistantEventHandler):
            @override
            def on_text_done(self, text: Text) -> None:
                done.append(text.value)

            @override
            def on_event(self, event: Any) -> None:
                if event.event == "thread.run.requires_action":
                    call = event.data.required_action.submit_tool_outputs.tool_calls[0]
                    with client.beta.threads.runs.submit_tool_outputs_stream(
                        run_id=event.data.id,
                        thread_id=event.data.thread_id,
                        tool_outputs=[{"tool_call_id": call.id, "output": "sunny"}],
                        event_handler=Handler(),
                    ) as nested:
                        nested.until_done()

        assistant = client.beta.assistants.create(model="gpt-4.1", tools=[WEATHER])
        thread = client.beta.threads.create(messages=[{"role": "user", "content": "CALL weather {}"}])
        with client.beta.threads.runs.stream(
            thread_id=thread.id, assistant_id=assistant.id, event_handler=Handler()
        ) as stream:
            stream.until_done()
        runs = client.beta.threads.runs.list(thread.id).data

    assert [run.status for run in runs] == ["completed"]
    assert len(done) == 1
    assert "sunny" in done[0]
