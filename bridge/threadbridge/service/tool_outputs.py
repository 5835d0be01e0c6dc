"""Answering the calls of a run that requires action (A64-A71)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from threadbridge.context_window.token_counts import weighed
from threadbridge.errors import InvalidRequest, TranslationError
from threadbridge.ports import Entry, Kind, Session, Wire
from threadbridge.run_states import RunStatus, stepped
from threadbridge.service.context import Context
from threadbridge.service.leases import claim
from threadbridge.service.run_termination import last_usage, open_step
from threadbridge.service.runs import to_change
from threadbridge.service.turns import TurnStart, begin_next
from threadbridge.translation.wire_objects import closed_step
from threadbridge.validation import TOOL_OUTPUTS, checked


class Submission(NamedTuple):
    """The run, queued again, the step its outputs completed, and its next turn where that begins at once."""

    run: Wire
    step: Wire
    turn: TurnStart | None


def submit(session: Session, context: Context, thread_id: str, run_id: str, body: Wire) -> Submission:
    """Complete the open step with the outputs and queue the next turn, in one transaction (A59, A70).

    Raises InvalidRequest in any other status (A68), for duplicate ids (A67), and unless exactly the calls of this
    round are answered (A66). Then nothing has changed.
    """
    given = checked(TOOL_OUTPUTS, body, limits=context.rules.limits)
    run = to_change(session, context, thread_id, run_id)
    if run["status"] != RunStatus.REQUIRES_ACTION:
        raise InvalidRequest(f'Runs in status "{run["status"]}" do not accept tool outputs.')
    outputs = _matched(run, given["tool_outputs"])
    step = _completed_step(session, context, run_id, outputs)
    session.put(Kind.STEP, step)
    entries = [Entry(item=_output_item(call, out), run_id=run_id) for call, out in outputs.items()]
    session.append(thread_id, weighed(entries, context.rules.history.count))
    after = stepped(run, RunStatus.QUEUED, context.second)
    if context.takes_up:
        return Submission(after, step, begin_next(session, context, after))
    session.put_run(after, claim(context))
    return Submission(after, step, None)


def _matched(run: Wire, given: Sequence[Wire]) -> dict[str, str]:
    """Outputs by call id, in the order of the calls, once they are shown to be complete (A66, A67)."""
    expected = [call["id"] for call in run["required_action"]["submit_tool_outputs"]["tool_calls"]]
    got = [output["tool_call_id"] for output in given]
    if len(set(got)) != len(got):
        raise InvalidRequest(f"Duplicate call_ids submitted: {got}")
    if set(got) != set(expected):
        raise InvalidRequest(f"Expected tool outputs for call_ids {expected}, got {got}")
    by_call = {output["tool_call_id"]: output.get("output", "") for output in given}
    return {call: by_call[call] for call in expected}


def _completed_step(session: Session, context: Context, run_id: str, outputs: dict[str, str]) -> Wire:
    """Each output lands on its own call (C16), and the step shows what its turn cost (A70, A78)."""
    step = open_step(session, run_id)
    if step is None:
        raise TranslationError(f"run {run_id} requires action but has no open step")
    calls = [_answered(call, outputs) for call in step["step_details"]["tool_calls"]]
    answered = {**step, "step_details": {**step["step_details"], "tool_calls": calls}}
    return closed_step(answered, "completed", at=context.second, usage=last_usage(session, run_id))


def _answered(call: Wire, outputs: dict[str, str]) -> Wire:
    if call["type"] != "function":
        return call
    return {**call, "function": {**call["function"], "output": outputs[call["id"]]}}


def _output_item(call_id: str, output: str) -> Wire:
    return {"type": "function_call_output", "call_id": call_id, "output": output}
