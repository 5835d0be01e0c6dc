"""What the openai SDK's own event handler makes of our events (A98-A98d)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import pytest
from openai import AssistantEventHandler, Stream
from openai.types.beta import AssistantStreamEvent
from openai.types.beta.threads import Message, Run, Text
from openai.types.beta.threads.runs import ToolCall
from pydantic import TypeAdapter

from tests.bridge.translation.upstream_events import STREAMS, translator
from threadbridge.ports import Event

_EVENTS: TypeAdapter[AssistantStreamEvent] = TypeAdapter(AssistantStreamEvent)


class _Connection:
    """The part of an HTTP response that the handler closes."""

    def close(self) -> None:
        pass


class _Played:
    """Stands where the SDK's stream of parsed events stands."""

    def __init__(self, events: list[Event]) -> None:
        self._events = events
        self.response = _Connection()

    def __iter__(self) -> Iterator[AssistantStreamEvent]:
        for event in self._events:
            yield _EVENTS.validate_python({"event": event.name, "data": event.data})

    def close(self) -> None:
        pass


class Handler(AssistantEventHandler):
    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self.texts: list[str] = []
        self.messages: list[Message] = []
        self.asked: list[str] = []
        self.called: list[Any] = []

    def on_text_delta(self, delta: Any, snapshot: Text) -> None:
        self.words.append(delta.value)

    def on_text_done(self, text: Text) -> None:
        self.texts.append(text.value)

    def on_message_done(self, message: Message) -> None:
        self.messages.append(message)

    def on_tool_call_created(self, tool_call: ToolCall) -> None:
        self.asked.append(tool_call.id)

    def on_tool_call_done(self, tool_call: ToolCall) -> None:
        self.called.append(tool_call.to_dict())


def handled(kind: str) -> Handler:
    turn = translator()
    events = [event for upstream in STREAMS[kind] for event in turn.translate(upstream)]
    handler = Handler()
    played = cast("Stream[AssistantStreamEvent]", _Played(events))
    handler._init(played)  # pyright: ignore[reportPrivateUsage]  # where the SDK's stream manager enters too
    handler.until_done()
    return handler


def call(number: int, arguments: str) -> dict[str, Any]:
    function = {"name": "look", "arguments": arguments, "output": None}
    return {"index": number - 1, "id": f"call_{number}", "type": "function", "function": function}


def test_text_is_written_word_by_word_and_done_once() -> None:
    handler = handled("text")

    assert handler.words == ["Hel", "lo", "!"]
    assert handler.texts == ["Hello!"]
    assert [message.id for message in handler.messages] == ["msg_1"]
    assert handler.get_final_run().status == "completed"


def test_two_messages_are_two() -> None:
    handler = handled("two messages")

    assert handler.texts == ["One", "Two"]
    assert len(handler.get_final_messages()) == 2


def test_parallel_calls_are_put_together_from_their_fragments() -> None:
    handler = handled("parallel calls")

    assert handler.asked == ["call_1", "call_2"]
    assert handler.called == [call(1, "{}"), call(2, '{"a": 2}')]
    assert handler.get_final_run().status == "requires_action"


@pytest.mark.parametrize("kind", STREAMS)
def test_a98_the_handler_follows_every_kind_of_stream_to_its_run(kind: str) -> None:
    turn = translator()
    events = [event for upstream in STREAMS[kind] for event in turn.translate(upstream)]

    handler = handled(kind)

    final: Run = handler.get_final_run()
    assert final.status == events[-1].data["status"]
