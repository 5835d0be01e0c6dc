"""Event handlers written for the openai SDK, on our streams: porting is replacing `client.beta`, and nothing else."""

from __future__ import annotations

from typing import Any

import openai
import pytest

from tests.bridge.client.stub_backend import SilentBackend, StubBackend, make_async_variant, make_sync_variant
from tests.bridge.client.wire_objects import call_stream, text_stream
from threadbridge.errors import UpstreamTimeout
from threadbridge.types import RunStep


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
    client, handler = make_sync_variant(StubBackend(stream_run=[streamed])).client, SdkHandler()

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
    client, handler = make_sync_variant(SilentBackend()).client, SdkHandler()

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
    client, handler = make_async_variant(StubBackend(stream_run=[text_stream("Hel", "lo")])).client, AsyncSdkHandler()

    async with client.threads.runs.stream(thread_id="t", assistant_id="a", event_handler=handler) as stream:
        await stream.until_done()
        finished = await stream.get_final_run()

    assert handler.told == ["Hel|Hel", "lo|Hello", "step"]
    assert finished.status == "completed"
