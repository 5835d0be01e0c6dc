"""Submit the outputs of a run that requires action (A64-A71)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from threadbridge.api_types import (
    FunctionCallOutputItem,
    JsonMapping,
    RunObject,
    RunStepObject,
    StepToolCall,
    SubmitToolOutputsBody,
    ToolOutput,
)
from threadbridge.errors import InvalidRequest, TranslationError
from threadbridge.ports import Entry, ObjectKind, Session
from threadbridge.run_states import RunStatus, transition_run
from threadbridge.service.context import ServiceContext
from threadbridge.service.run_state import build_lease, get_last_turn_usage, get_open_step
from threadbridge.service.runs import get_run_for_update
from threadbridge.service.turns import TurnStart, start_next_turn
from threadbridge.translation.wire_objects import build_closed_step
from threadbridge.validation import TOOL_OUTPUTS, validate_body


class Submission(NamedTuple):
    """The run, queued again, the step that the outputs completed, and the next turn if that starts immediately."""

    run: RunObject
    step: RunStepObject
    turn: TurnStart | None


def submit(session: Session, context: ServiceContext, thread_id: str, run_id: str, body: JsonMapping) -> Submission:
    """Complete the open step with the outputs and queue the next turn, in one transaction (A59, A70).

    Raises InvalidRequest in any other status (A68), for duplicate ids (A67), and unless the outputs answer exactly
    the calls of this round (A66). Nothing is written then.
    """
    params: SubmitToolOutputsBody = validate_body(TOOL_OUTPUTS, body, limits=context.rules.limits)
    run = get_run_for_update(session, context, thread_id, run_id)
    if run["status"] != RunStatus.REQUIRES_ACTION:
        raise InvalidRequest(f'Runs in status "{run["status"]}" do not accept tool outputs.')
    outputs = _match_outputs(run, params["tool_outputs"])
    step = _complete_step(session, context, run_id, outputs)
    session.put(ObjectKind.STEP, step)
    items: list[FunctionCallOutputItem] = [
        {"type": "function_call_output", "call_id": call_id, "output": output} for call_id, output in outputs.items()
    ]
    entries = [Entry(item=item, run_id=run_id) for item in items]
    session.append_entries(thread_id, context.add_token_counts(entries))
    after = transition_run(run, RunStatus.QUEUED, context.unix_seconds)
    if context.starts_immediately:
        return Submission(after, step, start_next_turn(session, context, after))
    session.put_run(after, build_lease(context))
    return Submission(after, step, None)


def _match_outputs(run: RunObject, outputs: Sequence[ToolOutput]) -> dict[str, str]:
    """Outputs by call id, in the order of the calls. Raises InvalidRequest for an incomplete set (A66, A67)."""
    required_action = run["required_action"]
    if required_action is None:
        raise TranslationError(f"run {run['id']} requires action but does not list its calls")
    expected = [call["id"] for call in required_action["submit_tool_outputs"]["tool_calls"]]
    submitted = [output["tool_call_id"] for output in outputs]
    if len(set(submitted)) != len(submitted):
        raise InvalidRequest(f"Duplicate call_ids submitted: {submitted}")
    if set(submitted) != set(expected):
        raise InvalidRequest(f"Expected tool outputs for call_ids {expected}, got {submitted}")
    by_call = {output["tool_call_id"]: output.get("output", "") for output in outputs}
    return {call: by_call[call] for call in expected}


def _complete_step(session: Session, context: ServiceContext, run_id: str, outputs: dict[str, str]) -> RunStepObject:
    """The completed step, with each output at its own call (C16) and the usage of its turn (A70, A78)."""
    step = get_open_step(session, run_id)
    details = step["step_details"] if step is not None else None
    if step is None or details is None or details["type"] != "tool_calls":
        raise TranslationError(f"run {run_id} requires action but has no open step")
    calls: list[StepToolCall] = []
    for call in details["tool_calls"]:
        if call["type"] == "function":
            calls.append({**call, "function": {**call["function"], "output": outputs[call["id"]]}})
        else:
            calls.append(call)
    answered: RunStepObject = {**step, "step_details": {**details, "tool_calls": calls}}
    return build_closed_step(answered, "completed", at=context.unix_seconds, usage=get_last_turn_usage(session, run_id))
