"""Streamed runs: raw events, the helpers' streams, and a handler with all its methods."""

from __future__ import annotations

from openai import AsyncAssistantEventHandler, AsyncOpenAI, AsyncStream
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message, MessageDelta, Run, Text, TextDelta
from openai.types.beta.threads.runs import RunStep, RunStepDelta, ToolCall, ToolCallDelta
from typing_extensions import override

from tests.clients.tour.output import show
from tests.clients.tour.request_bodies import BETA, ONE_CALL, THREE_CALLS, WEATHER, make_outputs


async def tour(client: AsyncOpenAI) -> None:
    assistant = await client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    await _show_raw_events(client, assistant.id)
    await _show_stream_helpers(client, assistant.id)
    await _show_submitted_outputs(client, assistant.id)
    await _show_event_handler(client, assistant.id)
    await _show_followed_run(client, assistant.id)


async def _show_raw_events(client: AsyncOpenAI, assistant_id: str) -> None:
    """`stream=True`: every event as it came."""
    threads = client.beta.threads
    events = await threads.create_and_run(
        assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": ONE_CALL}]}, stream=True
    )
    seen = [event async for event in events]
    show("threads.create_and_run, streamed", seen)
    run = seen[-1].data
    assert isinstance(run, Run)
    more = await threads.runs.submit_tool_outputs(
        run.id, thread_id=run.thread_id, tool_outputs=make_outputs(run), stream=True
    )
    show("threads.runs.submit_tool_outputs, streamed", [event async for event in more])
    last = await threads.runs.create(
        run.thread_id,
        assistant_id=assistant_id,
        additional_messages=[{"role": "user", "content": "SAY That was all."}],
        stream=True,
    )
    show("threads.runs.create, streamed", [event.event async for event in last])


async def _show_stream_helpers(client: AsyncOpenAI, assistant_id: str) -> None:
    """`stream` and `create_and_run_stream`, and what their streams can be asked."""
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": "SAY One two three."}])
    async with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant_id) as stream:
        show("threads.runs.stream, text_deltas", [text async for text in stream.text_deltas])
        show("threads.runs.stream, get_final_run", await stream.get_final_run())
        show("threads.runs.stream, get_final_run_steps", await stream.get_final_run_steps())
        show("threads.runs.stream, get_final_messages", await stream.get_final_messages())
    async with client.beta.threads.create_and_run_stream(
        assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": "SAY Four."}]}
    ) as stream:
        show("threads.create_and_run_stream", [event.event async for event in stream])
        show("threads.create_and_run_stream, get_final_messages", await stream.get_final_messages())


async def _show_submitted_outputs(client: AsyncOpenAI, assistant_id: str) -> None:
    """`submit_tool_outputs_stream`, after the first stream has ended."""
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": ONE_CALL}])
    async with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant_id) as stream:
        await stream.until_done()
        waiting = await stream.get_final_run()
    async with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=waiting.id, thread_id=thread.id, tool_outputs=make_outputs(waiting)
    ) as stream:
        show("threads.runs.submit_tool_outputs_stream", [event.event async for event in stream])
        show("threads.runs.submit_tool_outputs_stream, get_final_run", await stream.get_final_run())


async def _show_event_handler(client: AsyncOpenAI, assistant_id: str) -> None:
    """A handler that submits from within, twice."""
    notes: list[list[object]] = []
    thread = await client.beta.threads.create(messages=[{"role": "user", "content": THREE_CALLS}])
    async with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant_id, event_handler=Handler(client, notes)
    ) as stream:
        await stream.until_done()
    show("threads.runs.stream, handled", notes)


async def _show_followed_run(client: AsyncOpenAI, assistant_id: str) -> None:
    """A run's events once more, after its end. No SDK has a method for it: the path is an extension."""
    run = await client.beta.threads.create_and_run_poll(
        assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": "SAY Once more."}]}
    )
    events = await client.get(
        f"/threads/{run.thread_id}/runs/{run.id}/events",
        cast_to=Run,
        options={"headers": BETA},
        stream=True,
        stream_cls=AsyncStream[AssistantStreamEvent],
    )
    show("threads.runs, followed", [event.event async for event in events])


class Handler(AsyncAssistantEventHandler):
    """Notes what it is told, and answers the calls of its run on a stream of their own."""

    def __init__(self, client: AsyncOpenAI, notes: list[list[object]]) -> None:
        super().__init__()
        self._openai = client
        self._notes = notes

    @override
    async def on_event(self, event: AssistantStreamEvent) -> None:
        if event.event == "thread.run.requires_action":
            async with self._openai.beta.threads.runs.submit_tool_outputs_stream(
                run_id=event.data.id,
                thread_id=event.data.thread_id,
                tool_outputs=make_outputs(event.data),
                event_handler=Handler(self._openai, self._notes),
            ) as stream:
                await stream.until_done()

    @override
    async def on_run_step_created(self, run_step: RunStep) -> None:
        self._notes.append(["run step created", run_step.type])

    @override
    async def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        self._notes.append(["run step delta", snapshot.id])

    @override
    async def on_run_step_done(self, run_step: RunStep) -> None:
        self._notes.append(["run step done", run_step.status])

    @override
    async def on_tool_call_created(self, tool_call: ToolCall) -> None:
        self._notes.append(["tool call created", tool_call.type])

    @override
    async def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        self._notes.append(["tool call delta", delta.index])

    @override
    async def on_tool_call_done(self, tool_call: ToolCall) -> None:
        self._notes.append(["tool call done", tool_call.to_dict()])

    @override
    async def on_message_created(self, message: Message) -> None:
        self._notes.append(["message created", message.status])

    @override
    async def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        self._notes.append(["message delta", snapshot.id])

    @override
    async def on_message_done(self, message: Message) -> None:
        self._notes.append(["message done", message.status])

    @override
    async def on_text_created(self, text: Text) -> None:
        self._notes.append(["text created", text.annotations])

    @override
    async def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        self._notes.append(["text delta", delta.value, snapshot.value])

    @override
    async def on_text_done(self, text: Text) -> None:
        self._notes.append(["text done", text.value])

    @override
    async def on_end(self) -> None:
        self._notes.append(["end"])
