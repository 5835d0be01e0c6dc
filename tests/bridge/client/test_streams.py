from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any, cast

import openai
import pytest

from tests.bridge.client.scripted import Face, ScriptedBackend, asynchronous, synchronous
from tests.bridge.client.wire_objects import (
    MESSAGE,
    call_stream,
    message_delta,
    run,
    run_event,
    step_delta,
    text,
    text_stream,
)
from threadbridge import AssistantEventHandler, AsyncAssistantEventHandler
from threadbridge.client._snapshots import Snapshots
from threadbridge.errors import TranslationError, UpstreamError, UpstreamTimeout
from threadbridge.ports import Event
from threadbridge.types import Message, RunStep, typed_event

MakeFace = Callable[[ScriptedBackend], Face]
Hooks = list[tuple[str, tuple[Any, ...]]]


def hooks(events: list[Event]) -> Hooks:
    """What a handler is called with, in order."""
    snapshots = Snapshots()
    return [hook for event in events for hook in snapshots.feed(typed_event(event))]


def names(events: list[Event]) -> list[str]:
    return [hook for hook, _ in hooks(events)]


def test_a_text_answer_calls_the_hooks_of_the_sdk_in_order() -> None:
    assert names(text_stream("Hel", "lo")) == [
        "on_run_step_created",
        "on_message_created",
        "on_text_created",
        "on_text_delta",
        "on_message_delta",
        "on_text_delta",
        "on_message_delta",
        "on_text_done",
        "on_message_done",
        "on_run_step_done",
    ]


def test_a_function_call_calls_the_hooks_of_the_sdk_in_order() -> None:
    assert names(call_stream(['{"a":1,', '"b":2}'])) == [
        "on_run_step_created",
        "on_tool_call_created",
        "on_run_step_delta",
        "on_tool_call_delta",
        "on_run_step_delta",
        "on_tool_call_delta",
        "on_run_step_delta",
        "on_tool_call_done",
    ]


def test_snapshots_grow_by_the_rules() -> None:
    snapshots = Snapshots()
    seen = list[str]()

    for event in text_stream("Hel", "lo")[:-3]:
        for hook, arguments in snapshots.feed(typed_event(event)):
            if hook == "on_text_delta":
                seen.append(arguments[1].value)

    assert seen == ["Hel", "Hello"]
    assert snapshots.message is not None
    assert snapshots.message.content[0].type == "text"


def test_arguments_of_a_call_are_put_together() -> None:
    snapshots = Snapshots()

    for event in call_stream(['{"a":1,', '"b":2}']):
        for _ in snapshots.feed(typed_event(event)):
            pass

    step = snapshots.steps["step_1"]
    assert step.model_dump(mode="json", exclude_unset=True)["step_details"] == {
        "type": "tool_calls",
        "tool_calls": [
            {
                "index": 0,
                "id": "call_1",
                "type": "function",
                "function": {"name": "add", "arguments": '{"a":1,"b":2}', "output": None},
            }
        ],
    }


def test_annotations_images_and_second_parts_find_their_places() -> None:
    citation = {
        "index": 0,
        "type": "file_citation",
        "text": "【4:0†a.txt】",
        "start_index": 3,
        "end_index": 13,
        "file_citation": {"file_id": "file-1", "quote": ""},
    }
    image = {"index": 0, "type": "image_file", "image_file": {"file_id": "file-2"}}
    events = [
        Event("thread.message.created", MESSAGE),
        message_delta(image),
        message_delta(text(1, "see", annotations=[])),
        message_delta(text(1, "【4:0†a.txt】", annotations=[citation])),
    ]
    snapshots = Snapshots()

    called = [hook for event in events for hook, _ in snapshots.feed(typed_event(event))]

    assert snapshots.message is not None
    assert snapshots.message.model_dump(mode="json", exclude_unset=True)["content"] == [
        image,
        text(1, "see【4:0†a.txt】", annotations=[citation]),
    ]
    assert called == [
        "on_message_created",
        "on_message_delta",
        "on_image_file_done",
        "on_text_created",
        "on_text_delta",
        "on_message_delta",
        "on_text_delta",
        "on_message_delta",
    ]


def test_two_fragments_for_one_new_entry_in_one_frame_are_joined() -> None:
    opening = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "add", "arguments": '{"a"'}}
    more = {"index": 0, "type": "function", "function": {"arguments": ":1}"}}
    snapshots = Snapshots()

    for event in [*call_stream([])[:5], step_delta(opening, more)]:
        for _ in snapshots.feed(typed_event(event)):
            pass

    details = snapshots.steps["step_1"].step_details
    assert details.type == "tool_calls"
    assert [getattr(call, "function").arguments for call in details.tool_calls] == ['{"a":1}']  # noqa: B009  # a union


def test_parts_of_types_newer_than_this_version_grow_too() -> None:
    events = [
        Event("thread.message.created", MESSAGE),
        message_delta({"index": 0, "type": "audio", "audio": {"text": "a", "seconds": 1, "final": False}}),
        message_delta({"index": 0, "type": "audio", "audio": {"text": "b", "seconds": 2, "final": True}}),
    ]
    snapshots = Snapshots()

    for event in events:
        for _ in snapshots.feed(typed_event(event)):
            pass

    assert snapshots.message is not None
    assert snapshots.message.model_dump(mode="json", exclude_unset=True)["content"] == [
        {"index": 0, "type": "audio", "audio": {"text": "ab", "seconds": 3, "final": True}}
    ]


def test_the_object_of_an_event_does_not_grow_with_the_snapshot() -> None:
    created = typed_event(Event("thread.message.created", MESSAGE))
    snapshots = Snapshots()

    for event in [created, typed_event(message_delta(text(0, "Hi")))]:
        for _ in snapshots.feed(event):
            pass

    assert cast("Message", created.data).content == []


@pytest.mark.parametrize("stray", [message_delta(text(0, "Hi")), step_delta({"index": 0, "type": "function"})])
def test_a_delta_of_something_never_created_is_an_error(stray: Event) -> None:
    with pytest.raises(TranslationError, match=r"came before its thread\.(message|run\.step)\.created"):
        hooks([stray])


async def test_stream_true_gives_the_events(face: MakeFace) -> None:
    backend = ScriptedBackend(
        stream_run=[text_stream("Hi")],
        stream_tool_outputs=[text_stream("Ho")],
        stream_thread_and_run=[text_stream("He")],
    )
    at = face(backend)

    streams = [
        await at.do(lambda tb: tb.threads.runs.create("thread_1", assistant_id="asst_1", stream=True)),
        await at.do(
            lambda tb: tb.threads.runs.submit_tool_outputs("run_1", thread_id="t", tool_outputs=[], stream=True)
        ),
        await at.do(lambda tb: tb.threads.create_and_run(assistant_id="asst_1", stream=True)),
    ]

    for stream in streams:
        assert await at.do(partial(everything, stream)) == [e.name for e in text_stream("Hi")]
    assert "stream" not in backend.bodies("stream_run")[0]


def everything(stream: Any, _: Any) -> Any:
    """The names of all events, in the stream's own colour."""
    return all_of(stream) if hasattr(stream, "__aiter__") else [event.event for event in stream]


async def all_of(stream: AsyncIterator[Any]) -> list[str]:
    return [event.event async for event in stream]


async def test_leaving_a_stream_early_closes_it() -> None:
    backend = ScriptedBackend(stream_run=[text_stream("Hi"), text_stream("Hi")])

    async with await asynchronous(backend).client.threads.runs.create("t", assistant_id="a", stream=True) as stream:
        await anext(stream)
    with synchronous(backend).client.threads.runs.create("t", assistant_id="a", stream=True) as same:
        next(same)

    assert backend.streams_closed == 2


class Recorder(AssistantEventHandler):
    def __init__(self) -> None:
        super().__init__()
        self.heard = list[str]()

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_"):
            self.heard.append(name)
        return super().__getattribute__(name)


class AsyncRecorder(AsyncAssistantEventHandler):
    def __init__(self) -> None:
        super().__init__()
        self.heard = list[str]()

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("on_"):
            self.heard.append(name)
        return super().__getattribute__(name)


async def test_a_handler_follows_the_stream_and_keeps_what_it_told() -> None:
    backend = ScriptedBackend(stream_run=[text_stream("Hel", "lo"), text_stream("Hel", "lo")])

    manager = asynchronous(backend).client.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=AsyncRecorder(), instructions="x"
    )
    async with manager as handler:
        await handler.until_done()
        messages = await handler.get_final_messages()
        steps = await handler.get_final_run_steps()
        finished = await handler.get_final_run()
    with synchronous(backend).client.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=Recorder()
    ) as same:
        same.until_done()

    assert finished.status == "completed"
    assert [message.content[0].text.value for message in messages] == ["Hello"]
    assert [step.status for step in steps] == ["completed"]
    assert handler.heard == same.heard
    assert handler.heard.count("on_event") == len(text_stream("Hel", "lo"))
    assert handler.heard[-1] == "on_end"
    assert backend.bodies("stream_run")[0] == {"instructions": "x", "assistant_id": "asst_1"}


async def test_the_default_handler_gives_text_and_events() -> None:
    backend = ScriptedBackend(stream_thread_and_run=[text_stream("Hel", "lo"), text_stream("Hel", "lo")])

    async with asynchronous(backend).client.threads.create_and_run_stream(assistant_id="asst_1") as handler:
        pieces = [piece async for piece in handler.text_deltas]
    with synchronous(backend).client.threads.create_and_run_stream(assistant_id="asst_1") as same:
        heard = [event.event for event in same]
        finished = same.get_final_run()

    assert pieces == ["Hel", "lo"]
    assert heard == [event.name for event in text_stream("Hel", "lo")]
    assert finished.status == "completed"


class Answering(AssistantEventHandler):
    """The documented pattern: answer the calls from within the handler, while its stream is open (C4)."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self.client = client
        self.said = ""

    def on_event(self, event: Any) -> None:
        if event.event == "thread.run.requires_action":
            calls = event.data.required_action.submit_tool_outputs.tool_calls
            with self.client.threads.runs.submit_tool_outputs_stream(
                run_id=event.data.id,
                thread_id=event.data.thread_id,
                tool_outputs=[{"tool_call_id": call.id, "output": "3"} for call in calls],
            ) as stream:
                self.said = "".join(stream.text_deltas)


def test_calls_can_be_answered_from_within_the_handler() -> None:
    backend = ScriptedBackend(stream_run=[call_stream(['{"a":1}'])], stream_tool_outputs=[text_stream("It is ", "3")])
    client = synchronous(backend).client
    handler = Answering(client)

    with client.threads.runs.create_and_stream(thread_id="t", assistant_id="a", event_handler=handler) as stream:
        stream.until_done()

    assert handler.said == "It is 3"
    assert backend.bodies("stream_tool_outputs") == [{"tool_outputs": [{"tool_call_id": "call_1", "output": "3"}]}]


def test_a_handler_is_told_of_a_broken_stream_and_of_its_end() -> None:
    backend = ScriptedBackend(stream_run=[[*text_stream("Hi")[:3], UpstreamError("connection lost")]])
    client, handler = synchronous(backend).client, Recorder()

    with (
        pytest.raises(UpstreamError, match="connection lost"),
        client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler) as stream,
    ):
        stream.until_done()

    assert handler.heard[-2:] == ["on_exception", "on_end"]
    assert stream.current_run.status == "in_progress"


class SilentBackend(ScriptedBackend):
    async def stream_run(self, *arguments: Any, **keywords: Any) -> AsyncIterator[Event]:
        async def silence() -> AsyncIterator[Event]:
            yield run_event(run("in_progress"))
            await asyncio.sleep(30)

        return silence()


def test_a_handler_is_told_when_nothing_comes_in_time() -> None:
    client, handler = synchronous(SilentBackend()).client, Recorder()

    with (
        pytest.raises(UpstreamTimeout),
        client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler, timeout=0.05) as stream,
    ):
        stream.until_done()

    assert handler.heard[-3:] == ["on_timeout", "on_exception", "on_end"]


def test_a_handler_follows_one_stream_only() -> None:
    backend = ScriptedBackend(stream_run=[text_stream("Hi"), text_stream("Hi")])
    client, handler = synchronous(backend).client, Recorder()
    with client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler):
        pass

    with (
        pytest.raises(RuntimeError, match="follows one stream"),
        client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler),
    ):
        pass


def test_a_handler_without_a_stream_says_so() -> None:
    with pytest.raises(RuntimeError, match="enter the `with` block first"):
        Recorder().until_done()


def test_final_objects_that_never_came_are_an_error() -> None:
    client = synchronous(ScriptedBackend(stream_run=[[]])).client

    with client.threads.runs.stream(thread_id="t", assistant_id="a") as handler:
        for ask in (handler.get_final_run, handler.get_final_run_steps, handler.get_final_messages):
            with pytest.raises(RuntimeError, match="found"):
                ask()


class SdkHandler(openai.AssistantEventHandler):
    """Written for the SDK, without a thought of us."""

    def __init__(self) -> None:
        super().__init__()
        self.told = list[str]()

    def on_text_created(self, text: Any) -> None:
        self.told.append("created")

    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.told.append(f"{delta.value}|{snapshot.value}")

    def on_tool_call_created(self, tool_call: Any) -> None:
        self.told.append(f"call {tool_call.function.name}")

    def on_tool_call_delta(self, delta: Any, snapshot: Any) -> None:
        self.told.append(f"{delta.function.arguments}|{snapshot.function.arguments}")

    def on_message_done(self, message: Any) -> None:
        self.told.append(message.content[0].text.value)

    def on_timeout(self) -> None:
        self.told.append("timeout")

    def on_end(self) -> None:
        self.told.append("end")


def test_a_handler_of_the_sdk_follows_our_stream_as_its_own() -> None:
    streamed = [*call_stream(['{"a":', "1}"]), *text_stream("Hel", "lo")[3:]]
    client, handler = synchronous(ScriptedBackend(stream_run=[streamed])).client, SdkHandler()

    with client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler) as stream:
        stream.until_done()
        finished, messages = stream.get_final_run(), stream.get_final_messages()

    assert stream is handler
    assert handler.told == [
        "call add",
        '{"a":|{"a":',
        '1}|{"a":1}',
        "created",
        "Hel|Hel",
        "lo|Hello",
        "Hello",
        "end",
    ]
    assert finished.status == "completed"
    assert messages[0].content[0].text.value == "Hello"


def test_a_handler_of_the_sdk_is_told_when_nothing_comes_in_time() -> None:
    client, handler = synchronous(SilentBackend()).client, SdkHandler()

    with (
        pytest.raises(UpstreamTimeout),
        client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler, timeout=0.05) as stream,
    ):
        stream.until_done()

    assert handler.told == ["timeout", "end"]


class AsyncSdkHandler(openai.AsyncAssistantEventHandler):
    def __init__(self) -> None:
        super().__init__()
        self.told = list[str]()

    async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.told.append(f"{delta.value}|{snapshot.value}")

    async def on_run_step_done(self, run_step: Any) -> None:
        assert isinstance(run_step, RunStep)
        self.told.append("step")


async def test_an_asynchronous_handler_of_the_sdk_follows_our_stream_as_its_own() -> None:
    client, handler = asynchronous(ScriptedBackend(stream_run=[text_stream("Hel", "lo")])).client, AsyncSdkHandler()

    async with client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler) as stream:
        await stream.until_done()
        finished = await stream.get_final_run()

    assert handler.told == ["Hel|Hel", "lo|Hello", "step"]
    assert finished.status == "completed"
