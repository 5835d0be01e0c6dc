"""Objects of the API as the recordings show them, and the streams they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from threadbridge.api_types import JsonMapping, JsonObject, RunObject, RunStepObject, RunToolCall, StreamedMessageObject
from threadbridge.ports import Event

RUN: RunObject = {
    "id": "run_1",
    "object": "thread.run",
    "created_at": 1761861679,
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "status": "queued",
    "started_at": None,
    "expires_at": 1761862279,
    "cancelled_at": None,
    "failed_at": None,
    "completed_at": None,
    "required_action": None,
    "last_error": None,
    "model": "gpt-4o",
    "instructions": None,
    "tools": [],
    "tool_resources": {},
    "metadata": {},
    "temperature": 1.0,
    "top_p": 1.0,
    "reasoning_effort": None,
    "max_completion_tokens": None,
    "max_prompt_tokens": None,
    "truncation_strategy": {"type": "auto", "last_messages": None},
    "incomplete_details": None,
    "usage": None,
    "response_format": "auto",
    "tool_choice": "auto",
    "parallel_tool_calls": True,
}

MESSAGE: StreamedMessageObject = {
    "id": "msg_1",
    "object": "thread.message",
    "created_at": 1761861680,
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "run_id": "run_1",
    "status": "in_progress",
    "incomplete_details": None,
    "incomplete_at": None,
    "completed_at": None,
    "role": "assistant",
    "content": [],
    "attachments": [],
    "metadata": {},
}

STEP: RunStepObject = {
    "id": "step_1",
    "object": "thread.run.step",
    "created_at": 1761861680,
    "run_id": "run_1",
    "assistant_id": "asst_1",
    "thread_id": "thread_1",
    "type": "message_creation",
    "status": "in_progress",
    "cancelled_at": None,
    "completed_at": None,
    "expires_at": 1761862279,
    "failed_at": None,
    "last_error": None,
    "step_details": {"type": "message_creation", "message_creation": {"message_id": "msg_1"}},
    "usage": None,
}


def run(status: str, **fields: Any) -> RunObject:
    return cast("RunObject", {**RUN, "status": status, **fields})


def call(call_id: str, name: str, arguments: str) -> RunToolCall:
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


def waiting_run(*calls: RunToolCall) -> RunObject:
    """A run that waits for outputs."""
    action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": list(calls)}}
    return run("requires_action", required_action=action)


def run_event(wire: RunObject) -> Event:
    return Event(f"thread.run.{wire['status']}", wire)


def message_delta(*content: JsonMapping) -> Event:
    return Event(
        "thread.message.delta", {"id": "msg_1", "object": "thread.message.delta", "delta": {"content": list(content)}}
    )


def text(index: int, value: str, **fields: Any) -> JsonObject:
    return {"index": index, "type": "text", "text": {"value": value, **fields}}


def step_delta(*calls: JsonMapping) -> Event:
    return Event(
        "thread.run.step.delta",
        {
            "id": "step_1",
            "object": "thread.run.step.delta",
            "delta": {"step_details": {"type": "tool_calls", "tool_calls": list(calls)}},
        },
    )


def text_stream(*pieces: str) -> list[Event]:
    """A whole streamed answer (A90)."""
    content: list[JsonObject] = [{"type": "text", "text": {"value": "".join(pieces), "annotations": []}}]
    message: JsonObject = {**MESSAGE, "status": "completed", "completed_at": 1761861681, "content": content}
    first, *rest = pieces
    return [
        Event("thread.run.created", RUN),
        run_event(RUN),
        run_event(run("in_progress")),
        Event("thread.run.step.created", STEP),
        Event("thread.run.step.in_progress", STEP),
        Event("thread.message.created", MESSAGE),
        Event("thread.message.in_progress", MESSAGE),
        message_delta(text(0, first, annotations=[])),
        *(message_delta(text(0, piece)) for piece in rest),
        Event("thread.message.completed", message),
        Event("thread.run.step.completed", {**STEP, "status": "completed"}),
        run_event(run("completed")),
    ]


def call_stream(pieces: Sequence[str]) -> list[Event]:
    """A streamed function call, up to requires_action (A91)."""
    step: JsonObject = {**STEP, "type": "tool_calls", "step_details": {"type": "tool_calls", "tool_calls": []}}
    opening: JsonObject = {
        "index": 0,
        "id": "call_1",
        "type": "function",
        "function": {"name": "add", "arguments": "", "output": None},
    }
    return [
        Event("thread.run.created", RUN),
        run_event(RUN),
        run_event(run("in_progress")),
        Event("thread.run.step.created", step),
        Event("thread.run.step.in_progress", step),
        step_delta(opening),
        *(step_delta({"index": 0, "type": "function", "function": {"arguments": piece}}) for piece in pieces),
        run_event(waiting_run(call("call_1", "add", "".join(pieces)))),
    ]
