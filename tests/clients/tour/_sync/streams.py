# Generated from ../_async by .ci/unasync.py: edit there.
"""Streamed runs: raw events, the helpers' streams, and a handler with all its methods."""

from __future__ import annotations

from openai import AssistantEventHandler, OpenAI, Stream
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message, MessageDelta, Run, Text, TextDelta
from openai.types.beta.threads.runs import RunStep, RunStepDelta, ToolCall, ToolCallDelta
from typing_extensions import override

from tests.clients.tour.output import show
from tests.clients.tour.request_bodies import BETA, ONE_CALL, THREE_CALLS, WEATHER, make_outputs


def tour(client: OpenAI) -> None:
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[WEATHER])
    _show_raw_events(client, assistant.id)
    _show_stream_helpers(client, assistant.id)
    _show_submitted_outputs(client, assistant.id)
    _show_event_handler(client, assistant.id)
    _show_followed_run(client, assistant.id)


def _show_raw_events(client: OpenAI, assistant_id: str) -> None:
    """`stream=True`: every event as it came."""
    threads = client.beta.threads
    events = threads.create_and_run(
        assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": ONE_CALL}]}, stream=True
    )
    seen = [event for event in events]
    show("threads.create_and_run, streamed", seen)
    run = seen[-1].data
    assert isinstance(run, Run)
    more = threads.runs.submit_tool_outputs(
        run.id, thread_id=run.thread_id, tool_outputs=make_outputs(run), stream=True
    )
    show("threads.runs.submit_tool_outputs, streamed", [event for event in more])
    last = threads.runs.create(
        run.thread_id,
        assistant_id=assistant_id,
        additional_messages=[{"role": "user", "content": "SAY That was all."}],
        stream=True,
    )
    show("threads.runs.create, streamed", [event.event for event in last])


def _show_stream_helpers(client: OpenAI, assistant_id: str) -> None:
    """`stream` and `create_and_run_stream`, and what their streams can be asked."""
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "SAY One two three."}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant_id) as stream:
        show("threads.runs.stream, text_deltas", [text for text in stream.text_deltas])
        show("threads.runs.stream, get_final_run", stream.get_final_run())
        show("threads.runs.stream, get_final_run_steps", stream.get_final_run_steps())
        show("threads.runs.stream, get_final_messages", stream.get_final_messages())
    with client.beta.threads.create_and_run_stream(
        assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": "SAY Four."}]}
    ) as stream:
        show("threads.create_and_run_stream", [event.event for event in stream])
        show("threads.create_and_run_stream, get_final_messages", stream.get_final_messages())


def _show_submitted_outputs(client: OpenAI, assistant_id: str) -> None:
    """`submit_tool_outputs_stream`, after the first stream has ended."""
    thread = client.beta.threads.create(messages=[{"role": "user", "content": ONE_CALL}])
    with client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=assistant_id) as stream:
        stream.until_done()
        waiting = stream.get_final_run()
    with client.beta.threads.runs.submit_tool_outputs_stream(
        run_id=waiting.id, thread_id=thread.id, tool_outputs=make_outputs(waiting)
    ) as stream:
        show("threads.runs.submit_tool_outputs_stream", [event.event for event in stream])
        show("threads.runs.submit_tool_outputs_stream, get_final_run", stream.get_final_run())


def _show_event_handler(client: OpenAI, assistant_id: str) -> None:
    """A handler that submits from within, twice."""
    notes: list[list[object]] = []
    thread = client.beta.threads.create(messages=[{"role": "user", "content": THREE_CALLS}])
    with client.beta.threads.runs.stream(
        thread_id=thread.id, assistant_id=assistant_id, event_handler=Handler(client, notes)
    ) as stream:
        stream.until_done()
    show("threads.runs.stream, handled", notes)


def _show_followed_run(client: OpenAI, assistant_id: str) -> None:
    """A run's events once more, after its end. No SDK has a method for it: the path is an extension."""
    run = client.beta.threads.create_and_run_poll(
        assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": "SAY Once more."}]}
    )
    events = client.get(
        f"/threads/{run.thread_id}/runs/{run.id}/events",
        cast_to=Run,
        options={"headers": BETA},
        stream=True,
        stream_cls=Stream[AssistantStreamEvent],
    )
    show("threads.runs, followed", [event.event for event in events])


class Handler(AssistantEventHandler):
    """Notes what it is told, and answers the calls of its run on a stream of their own."""

    def __init__(self, client: OpenAI, notes: list[list[object]]) -> None:
        super().__init__()
        self._openai = client
        self._notes = notes

    @override
    def on_event(self, event: AssistantStreamEvent) -> None:
        if event.event == "thread.run.requires_action":
            with self._openai.beta.threads.runs.submit_tool_outputs_stream(
                run_id=event.data.id,
                thread_id=event.data.thread_id,
                tool_outputs=make_outputs(event.data),
                event_handler=Handler(self._openai, self._notes),
            ) as stream:
                stream.until_done()

    @override
    def on_run_step_created(self, run_step: RunStep) -> None:
        self._notes.append(["run step created", run_step.type])

    @override
    def on_run_step_delta(self, delta: RunStepDelta, snapshot: RunStep) -> None:
        self._notes.append(["run step delta", snapshot.id])

    @override
    def on_run_step_done(self, run_step: RunStep) -> None:
        self._notes.append(["run step done", run_step.status])

    @override
    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        self._notes.append(["tool call created", tool_call.type])

    @override
    def on_tool_call_delta(self, delta: ToolCallDelta, snapshot: ToolCall) -> None:
        self._notes.append(["tool call delta", delta.index])

    @override
    def on_tool_call_done(self, tool_call: ToolCall) -> None:
        self._notes.append(["tool call done", tool_call.to_dict()])

    @override
    def on_message_created(self, message: Message) -> None:
        self._notes.append(["message created", message.status])

    @override
    def on_message_delta(self, delta: MessageDelta, snapshot: Message) -> None:
        self._notes.append(["message delta", snapshot.id])

    @override
    def on_message_done(self, message: Message) -> None:
        self._notes.append(["message done", message.status])

    @override
    def on_text_created(self, text: Text) -> None:
        self._notes.append(["text created", text.annotations])

    @override
    def on_text_delta(self, delta: TextDelta, snapshot: Text) -> None:
        self._notes.append(["text delta", delta.value, snapshot.value])

    @override
    def on_text_done(self, text: Text) -> None:
        self._notes.append(["text done", text.value])

    @override
    def on_end(self) -> None:
        self._notes.append(["end"])
