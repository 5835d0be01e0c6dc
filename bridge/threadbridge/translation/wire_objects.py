"""A run's objects as stored and read back (REST) and as streamed (SSE), and their usage (A32, A33, A46, A72, A94).

Every function builds a new object. A returned object is never changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, cast

from threadbridge.api_types import (
    JsonMapping,
    LastError,
    MessageContentPart,
    MessageContentPartDelta,
    MessageIncompleteReason,
    MessageObject,
    MessageStatus,
    RunObject,
    RunStepObject,
    StepDetails,
    StepStatus,
    StepToolCallDelta,
    StreamedMessageObject,
    ThreadObject,
    ToolResources,
    UpdatedMessageObject,
    UsageObject,
    is_json_object,
)
from threadbridge.ports import Event

#: The plausible maximum of a response; a larger or negative number is not a count.
_MAX_TOKENS = 10**9


def _build_usage(prompt: int, completion: int, total: int, cached: int, reasoning: int) -> UsageObject:
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": total,
        # Singular on the real wire, whatever the schema says (A46).
        "prompt_token_details": {"cached_tokens": cached},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def zero_usage() -> UsageObject:
    """A usage object that counts nothing."""
    return _build_usage(0, 0, 0, 0, 0)


def parse_usage(response: JsonMapping) -> UsageObject:
    """The usage of a response of the Responses API.

    What the service left out, made null (S5) or cannot mean counts zero.
    """
    usage = _as_mapping(response.get("usage"))
    prompt = _get_plausible_count(usage, "input_tokens")
    completion = _get_plausible_count(usage, "output_tokens")
    return _build_usage(
        prompt,
        completion,
        _get_plausible_count(usage, "total_tokens") or prompt + completion,
        _get_plausible_count(_as_mapping(usage.get("input_tokens_details")), "cached_tokens"),
        _get_plausible_count(_as_mapping(usage.get("output_tokens_details")), "reasoning_tokens"),
    )


def add_usage(first: UsageObject | None, second: UsageObject | None) -> UsageObject:
    """The sum of two usages in wire form; None counts nothing, a missing detail counts zero."""
    prompt = completion = total = cached = reasoning = 0
    for usage in (first, second):
        if usage is not None:
            values: JsonMapping = usage
            prompt += _get_count(values, "prompt_tokens")
            completion += _get_count(values, "completion_tokens")
            total += _get_count(values, "total_tokens")
            cached += _get_detail(values, "prompt_token_details", "cached_tokens")
            reasoning += _get_detail(values, "completion_tokens_details", "reasoning_tokens")
    return _build_usage(prompt, completion, total, cached, reasoning)


def _get_detail(usage: JsonMapping, group: str, name: str) -> int:
    return _get_count(_as_mapping(usage.get(group)), name)


def _as_mapping(value: object) -> JsonMapping:
    return value if is_json_object(value) else {}


def _get_count(values: JsonMapping, name: str) -> int:
    value = values.get(name)
    return int(value) if isinstance(value, int | float) else 0


def _get_plausible_count(values: JsonMapping, name: str) -> int:
    count = _get_count(values, name)
    return count if 0 <= count <= _MAX_TOKENS else 0


#: The field of a step that takes the time of arrival in a status. `expired` has none on the wire (A72).
_STEP_TIME_FIELDS: Mapping[str, Literal["completed_at", "failed_at", "cancelled_at"]] = {
    "completed": "completed_at",
    "failed": "failed_at",
    "cancelled": "cancelled_at",
}

#: A step's `last_error` knows only these codes (A47).
_STEP_ERROR_CODES = frozenset({"server_error", "rate_limit_exceeded"})


def build_streamed_run(run: RunObject) -> RunObject:
    """The run as a stream shows it, in every status (A44)."""
    return {**run, "tool_resources": _add_code_interpreter_resources(run["tool_resources"])}


def build_retrieved_thread(thread: ThreadObject) -> ThreadObject:
    """The thread as GET and streams show it; the answers to creation and update echo the request (A27)."""
    return {**thread, "tool_resources": _add_code_interpreter_resources(thread["tool_resources"])}


def _add_code_interpreter_resources(resources: ToolResources) -> ToolResources:
    """The resources with an empty code interpreter, where they have none of their own."""
    return {"code_interpreter": {"file_ids": []}, **resources}


def build_run_event(run: RunObject, status: str | None = None) -> Event:
    """The event `thread.run.<status>`, by default of the run's own status. (`created` shows a queued run, A90.)"""
    return Event(f"thread.run.{status or run['status']}", build_streamed_run(run))


# -- Messages ------------------------------------------------------------------------------------------------------


def build_run_message(
    run: RunObject, *, message_id: str, created_at: int, content: Sequence[MessageContentPart]
) -> MessageObject:
    """A message written by the run, as stored and read back: without the status group (A32)."""
    return {
        "id": message_id,
        "object": "thread.message",
        "created_at": created_at,
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "run_id": run["id"],
        "role": "assistant",
        "content": list(content),
        "attachments": [],
        "metadata": {},
    }


def build_streamed_message(
    message: MessageObject,
    status: MessageStatus,
    *,
    at: int | None = None,
    reason: MessageIncompleteReason | None = None,
) -> StreamedMessageObject:
    """A stored message as a stream shows it (A33); `at` is when it was completed or cut off, `reason` why (A39)."""
    incomplete = status == "incomplete"
    return {
        "id": message["id"],
        "object": message["object"],
        "created_at": message["created_at"],
        "assistant_id": message["assistant_id"],
        "thread_id": message["thread_id"],
        "run_id": message["run_id"],
        "status": status,
        "incomplete_details": {"reason": reason} if incomplete and reason is not None else None,
        "incomplete_at": at if incomplete else None,
        "completed_at": None if incomplete else at,
        "role": message["role"],
        "content": message["content"],
        "attachments": message["attachments"],
        "metadata": message["metadata"],
    }


def build_updated_message(message: MessageObject) -> UpdatedMessageObject:
    """A message as the answer to its update shows it: with the obsolete `file_ids` instead of attachments (A32)."""
    replacements: Mapping[str, tuple[str, object]] = {"attachments": ("file_ids", [])}
    # Built in the order of the stored message, and with its unknown keys, which no literal would keep.
    updated = dict(replacements.get(name, (name, value)) for name, value in message.items())
    return cast("UpdatedMessageObject", updated)


def build_message_delta(message_id: str, part: MessageContentPartDelta) -> Event:
    """One fragment of one content part (A94)."""
    return Event(
        "thread.message.delta",
        {"id": message_id, "object": "thread.message.delta", "delta": {"content": [part]}},
    )


# -- Steps ---------------------------------------------------------------------------------------------------------


def build_open_step(run: RunObject, *, step_id: str, created_at: int, details: StepDetails) -> RunStepObject:
    """A step in progress; stored and streamed alike while it is open (A72)."""
    return {
        "id": step_id,
        "object": "thread.run.step",
        "created_at": created_at,
        "run_id": run["id"],
        "assistant_id": run["assistant_id"],
        "thread_id": run["thread_id"],
        "type": details["type"],
        "status": "in_progress",
        "cancelled_at": None,
        "completed_at": None,
        "expires_at": run["expires_at"],
        "failed_at": None,
        "last_error": None,
        "step_details": details,
        "usage": None,
    }


def build_closed_step(
    step: RunStepObject, status: StepStatus, *, at: int, usage: UsageObject, last_error: LastError | None = None
) -> RunStepObject:
    """The step, ended, as stored and read back: its `expires_at` is null (A72)."""
    closed: RunStepObject = {**step, "status": status, "expires_at": None, "usage": usage}
    if status in _STEP_TIME_FIELDS:
        closed[_STEP_TIME_FIELDS[status]] = at
    if status == "failed" and last_error is not None:
        is_known_code = last_error["code"] in _STEP_ERROR_CODES
        closed["last_error"] = {**last_error, "code": last_error["code"] if is_known_code else "server_error"}
    return closed


def build_streamed_step(step: RunStepObject, expires_at: int | None) -> RunStepObject:
    """A stored step as a stream shows it: with the run's deadline even when it has ended (A72)."""
    return {**step, "expires_at": expires_at}


def build_step_event(step: RunStepObject, expires_at: int | None) -> Event:
    """The event `thread.run.step.<status>` of a step that has ended."""
    return Event(f"thread.run.step.{step['status']}", build_streamed_step(step, expires_at))


def build_step_delta(step_id: str, call: StepToolCallDelta) -> Event:
    """One fragment of one tool call (A91, A94)."""
    return Event(
        "thread.run.step.delta",
        {
            "id": step_id,
            "object": "thread.run.step.delta",
            "delta": {"step_details": {"type": "tool_calls", "tool_calls": [call]}},
        },
    )
