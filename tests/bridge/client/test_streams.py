from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import pytest

from tests.bridge.client.stub_backend import (
    ClientVariant,
    SilentBackend,
    StubBackend,
    make_async_variant,
    make_sync_variant,
)
from tests.bridge.client.wire_objects import (
    call_stream,
    text_stream,
)
from threadbridge import AssistantEventHandler, AsyncAssistantEventHandler
from threadbridge.errors import UpstreamError, UpstreamTimeout

MakeFace = Callable[[StubBackend], ClientVariant]


async def test_stream_true_gives_the_events(face: MakeFace) -> None:
    backend = StubBackend(
        stream_run=[text_stream("Hi")],
        stream_tool_outputs=[text_stream("Ho")],
        stream_thread_and_run=[text_stream("He")],
    )
    at = face(backend)

    streams = [
        await at.call(lambda tb: tb.threads.runs.create("thread_1", assistant_id="asst_1", stream=True)),
        await at.call(
            lambda tb: tb.threads.runs.submit_tool_outputs("run_1", thread_id="t", tool_outputs=[], stream=True)
        ),
        await at.call(lambda tb: tb.threads.create_and_run(assistant_id="asst_1", stream=True)),
    ]

    for stream in streams:
        assert await at.call(partial(everything, stream)) == [e.name for e in text_stream("Hi")]
    assert "stream" not in backend.list_bodies("stream_run")[0]


def everything(stream: Any, _: Any) -> Any:
    """The names of all events, in the stream's own colour."""
    return all_of(stream) if hasattr(stream, "__aiter__") else [event.event for event in stream]


async def all_of(stream: AsyncIterator[Any]) -> list[str]:
    return [event.event async for event in stream]


async def test_leaving_a_stream_early_closes_it() -> None:
    backend = StubBackend(stream_run=[text_stream("Hi"), text_stream("Hi")])

    async with await make_async_variant(backend).client.threads.runs.create(
        "t", assistant_id="a", stream=True
    ) as stream:
        await anext(stream)
    with make_sync_variant(backend).client.threads.runs.create("t", assistant_id="a", stream=True) as same:
        next(same)

    assert backend.closed_streams == 2


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
    backend = StubBackend(stream_run=[text_stream("Hel", "lo"), text_stream("Hel", "lo")])

    manager = make_async_variant(backend).client.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=AsyncRecorder(), instructions="x"
    )
    async with manager as handler:
        await handler.until_done()
        messages = await handler.get_final_messages()
        steps = await handler.get_final_run_steps()
        finished = await handler.get_final_run()
    with make_sync_variant(backend).client.threads.runs.stream(
        thread_id="thread_1", assistant_id="asst_1", event_handler=Recorder()
    ) as same:
        same.until_done()

    assert finished.status == "completed"
    assert [message.content[0].text.value for message in messages] == ["Hello"]
    assert [step.status for step in steps] == ["completed"]
    assert handler.heard == same.heard
    assert handler.heard.count("on_event") == len(text_stream("Hel", "lo"))
    assert handler.heard[-1] == "on_end"
    assert backend.list_bodies("stream_run")[0] == {"instructions": "x", "assistant_id": "asst_1"}


async def test_the_default_handler_gives_text_and_events() -> None:
    backend = StubBackend(stream_thread_and_run=[text_stream("Hel", "lo"), text_stream("Hel", "lo")])

    async with make_async_variant(backend).client.threads.create_and_run_stream(assistant_id="asst_1") as handler:
        pieces = [piece async for piece in handler.text_deltas]
    with make_sync_variant(backend).client.threads.create_and_run_stream(assistant_id="asst_1") as same:
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
    backend = StubBackend(stream_run=[call_stream(['{"a":1}'])], stream_tool_outputs=[text_stream("It is ", "3")])
    client = make_sync_variant(backend).client
    handler = Answering(client)

    with client.threads.runs.create_and_stream(thread_id="t", assistant_id="a", event_handler=handler) as stream:
        stream.until_done()

    assert handler.said == "It is 3"
    assert backend.list_bodies("stream_tool_outputs") == [{"tool_outputs": [{"tool_call_id": "call_1", "output": "3"}]}]


def test_a_handler_is_told_of_a_broken_stream_and_of_its_end() -> None:
    backend = StubBackend(stream_run=[[*text_stream("Hi")[:3], UpstreamError("connection lost")]])
    client, handler = make_sync_variant(backend).client, Recorder()

    with (
        pytest.raises(UpstreamError, match="connection lost"),
        client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler) as stream,
    ):
        stream.until_done()

    assert handler.heard[-2:] == ["on_exception", "on_end"]
    assert stream.current_run.status == "in_progress"


def test_a_handler_is_told_when_nothing_comes_in_time() -> None:
    client, handler = make_sync_variant(SilentBackend()).client, Recorder()

    with (
        pytest.raises(UpstreamTimeout),
        client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler, timeout=0.05) as stream,
    ):
        stream.until_done()

    assert handler.heard[-3:] == ["on_timeout", "on_exception", "on_end"]


def test_a_handler_follows_one_stream_only() -> None:
    backend = StubBackend(stream_run=[text_stream("Hi"), text_stream("Hi")])
    client, handler = make_sync_variant(backend).client, Recorder()
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
    client = make_sync_variant(StubBackend(stream_run=[[]])).client

    with client.threads.runs.stream(thread_id="t", assistant_id="a") as handler:
        for ask in (handler.get_final_run, handler.get_final_run_steps, handler.get_final_messages):
            with pytest.raises(RuntimeError, match="found"):
                ask()


async def test_a_run_is_followed_from_where_a_stream_was_left() -> None:
    told = [event._replace(id=f"log-{number}") for number, event in enumerate(text_stream("Hel", "lo"), 1)]
    backend = StubBackend(stream_run=[told, told], follow_run=[told[2:], told[2:]])
    client, same = make_async_variant(backend).client, make_sync_variant(backend).client

    stream = await client.threads.runs.create("thread_1", assistant_id="asst_1", stream=True)
    seen = [(await anext(stream)).event, (await anext(stream)).event]
    await stream.close()
    rest = await client.threads.runs.follow("run_1", thread_id="thread_1", after=stream.last_event_id)
    seen += [event.event async for event in rest]
    with same.threads.runs.create("thread_1", assistant_id="asst_1", stream=True) as left:
        heard = [next(left).event, next(left).event]
    heard += [
        event.event for event in same.threads.runs.follow("run_1", thread_id="thread_1", after=left.last_event_id)
    ]

    assert seen == heard == [event.name for event in told]
    assert (stream.last_event_id, rest.last_event_id) == ("log-2", told[-1].id)
    assert [call.keywords for call in backend.calls if call.operation == "follow_run"] == [{"after": "log-2"}] * 2
