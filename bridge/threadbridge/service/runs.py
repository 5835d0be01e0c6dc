"""Create, read, change and cancel runs (A48-A61), submit tool outputs (A64-A71), and read run steps (A72-A78)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from threadbridge.api_types import (
    CreateRunBody,
    CreateThreadAndRunBody,
    FunctionCallOutputItem,
    JsonMapping,
    JsonObject,
    ListObject,
    RunObject,
    RunStepObject,
    StepToolCall,
    SubmitToolOutputsBody,
    ThreadObject,
    ToolOutput,
    UpdateMetadataBody,
)
from threadbridge.costs.report import build_run_report
from threadbridge.errors import InvalidRequest, TranslationError
from threadbridge.ports import Entry, ListQuery, ObjectKind, Session
from threadbridge.run_states import RunStatus, is_active, transition_run
from threadbridge.service import threads
from threadbridge.service.attachments import Provisioned, attach_files, complete_provisioning
from threadbridge.service.context import ServiceContext
from threadbridge.service.object_factory import build_run
from threadbridge.service.queries import (
    ASSISTANT,
    RUN,
    STEP,
    THREAD,
    get_object,
    get_object_in_thread,
    list_objects,
    list_objects_in_thread,
)
from threadbridge.service.run_state import (
    build_lease,
    end_if_overdue,
    end_run,
    ensure_not_overdue,
    ensure_run_allowed,
    get_last_turn_usage,
    get_open_step,
    is_lease_valid,
)
from threadbridge.service.spend_accounting import get_spending, list_spending_keys
from threadbridge.service.turns import TurnStart, start_first_turn, start_next_turn
from threadbridge.settings import UnknownCursorPolicy
from threadbridge.translation.capability_fallbacks import reject_missing_tools
from threadbridge.translation.hosted_tools.registry import strip_search_content
from threadbridge.translation.wire_objects import build_closed_step
from threadbridge.validation import (
    RUN_CREATE,
    RUN_UPDATE,
    THREAD_AND_RUN_CREATE,
    TOOL_OUTPUTS,
    validate_body,
    validate_id,
    validate_include,
)

#: (age of the run in seconds, advice in milliseconds): the end of a short run is noticed quickly, long runs cost
#: few requests. Without advice the SDKs wait a second.
_POLL_HINTS_BY_AGE = ((2.0, 50), (10.0, 250), (60.0, 1000))
_MAX_POLL_HINT_MS = 2000


class CreatedRun(NamedTuple):
    """A run that was just queued, its thread, and its first turn if that starts immediately."""

    run: RunObject
    thread: ThreadObject
    turn: TurnStart | None


def create(
    session: Session,
    context: ServiceContext,
    thread_id: str,
    body: JsonMapping,
    include: Sequence[str] = (),
    provisioned: Provisioned | None = None,
) -> CreatedRun:
    """Queue a run and lock its thread in one transaction (A42, A52).

    Raises ThreadBusy for a busy thread (A52), InvalidRequest for a run without any input (A53), NotFound for an
    unknown thread or assistant, Unsupported for a tool that the upstream lacks if the policy says so.
    """
    validate_id("thread_id", "thread", thread_id)
    validate_include(include)
    params: CreateRunBody = validate_body(RUN_CREATE, body, limits=context.rules.limits)
    thread = get_object(session, THREAD, thread_id)
    ensure_run_allowed(session, context, thread_id)
    thread = attach_files(session, thread, params.get("additional_messages", ()), provisioned)
    complete_provisioning(session, provisioned)
    return _queue_run(session, context, thread, params)


def create_with_thread(
    session: Session,
    context: ServiceContext,
    body: JsonMapping,
    include: Sequence[str] = (),
    provisioned: Provisioned | None = None,
) -> CreatedRun:
    """Create a thread and queue a run on it (A54)."""
    validate_include(include)
    params: CreateThreadAndRunBody = validate_body(THREAD_AND_RUN_CREATE, body, limits=context.rules.limits)
    get_object(session, ASSISTANT, params["assistant_id"])
    thread = threads.insert_thread(session, context, params.get("thread", {}), provisioned)
    thread = attach_files(session, thread, params.get("additional_messages", ()), provisioned)
    complete_provisioning(session, provisioned)
    return _queue_run(session, context, thread, params)


def _queue_run(session: Session, context: ServiceContext, thread: ThreadObject, params: CreateRunBody) -> CreatedRun:
    assistant = get_object(session, ASSISTANT, params["assistant_id"])
    threads.append_messages(session, context, thread["id"], params.get("additional_messages", ()))
    run = build_run(context, thread, assistant, params)
    context.rules.models.check_run(run, context.now)
    reject_missing_tools(run["tools"], context.rules.profile, context.rules.missing_tool)
    if not run["instructions"] and not session.list_entries(thread["id"], last_messages=1):
        raise InvalidRequest(
            "Run creation requires a Thread with a user message or an assistant with instructions.",
            code="invalid_thread",
        )
    if context.starts_immediately:
        return CreatedRun(run, thread, start_first_turn(session, context, run))
    session.add_run(run, build_lease(context))
    return CreatedRun(run, thread, None)


def retrieve(session: Session, now: float, thread_id: str, run_id: str) -> RunObject:
    """The run. Raises RunOverdue when it is past its deadline and not ended yet (A60)."""
    return ensure_not_overdue(session, now, get_object_in_thread(session, RUN, thread_id, run_id))


def list_page(
    session: Session, now: float, thread_id: str, query: ListQuery, *, unknown_cursor: UnknownCursorPolicy
) -> ListObject[RunObject]:
    """A page of the thread's runs, newest first unless asked otherwise (C12). Raises RunOverdue as `retrieve` does."""
    validate_id("thread_id", "thread", thread_id)
    active = session.get_active_run(thread_id)
    if active is not None:
        ensure_not_overdue(session, now, active)
    return list_objects_in_thread(session, RUN, thread_id, query, unknown_cursor=unknown_cursor)


def get_run_for_update(session: Session, context: ServiceContext, thread_id: str, run_id: str) -> RunObject:
    """The run that a request changes, ended first if it is past its deadline."""
    return end_if_overdue(session, context, get_object_in_thread(session, RUN, thread_id, run_id))


def update(session: Session, context: ServiceContext, thread_id: str, run_id: str, body: JsonMapping) -> RunObject:
    """The run with its metadata replaced. Raises InvalidRequest while it is active (A57)."""
    changes: UpdateMetadataBody = validate_body(RUN_UPDATE, body, limits=context.rules.limits)
    run = get_run_for_update(session, context, thread_id, run_id)
    if is_active(run):
        raise InvalidRequest(f"Cannot update run with status '{run['status']}'.")
    after: RunObject = {**run, **changes}
    session.put(ObjectKind.RUN, after)
    return after


def cancel(session: Session, context: ServiceContext, thread_id: str, run_id: str) -> RunObject:
    """Request the cancellation of a run; the returned run is `cancelling` (A61).

    A run without a worker is cancelled immediately, which unlocks the thread (C8); a worker finishes first.
    """
    run = get_run_for_update(session, context, thread_id, run_id)
    if not is_active(run) or run["status"] == RunStatus.CANCELLING:
        raise InvalidRequest(f"Cannot cancel run with status '{run['status']}'.")
    cancelling = transition_run(run, RunStatus.CANCELLING, context.unix_seconds)
    # Only a run in progress can have a request to the model open.
    if run["status"] == RunStatus.IN_PROGRESS and is_lease_valid(
        session.get_lease(run_id), context.now, lease_seconds=context.rules.limits.lease_seconds
    ):
        session.put(ObjectKind.RUN, cancelling)
    else:
        end_run(session, context, cancelling, RunStatus.CANCELLED)
    return cancelling


def retrieve_report(session: Session, now: float, thread_id: str, run_id: str) -> JsonObject:
    """What the run sent and cost so far. Raises RunOverdue as `retrieve` does."""
    run = retrieve(session, now, thread_id, run_id)
    sums = {scope: get_spending(session, scope, key) for scope, key in list_spending_keys(run).items()}
    report: JsonObject = build_run_report(run, session.list_turns(run_id), sums)
    return report


def compute_poll_hint_ms(run: RunObject, now: float) -> int | None:
    """Milliseconds a client is advised to wait before it polls again (A5, C13).

    None when the run has ended or waits for tool outputs.
    """
    if not is_active(run) or run["status"] == "requires_action":
        return None
    age = now - (run["started_at"] or run["created_at"])
    return next((advice for until, advice in _POLL_HINTS_BY_AGE if age < until), _MAX_POLL_HINT_MS)


def retrieve_step(
    session: Session, now: float, thread_id: str, run_id: str, step_id: str, include: Sequence[str] = ()
) -> RunStepObject:
    """The step, with the text of search results only if `include` asks for it (A77).

    Raises RunOverdue as `retrieve` does.
    """
    validate_include(include)
    retrieve(session, now, thread_id, run_id)
    step = get_object(session, STEP, step_id)
    if step["run_id"] != run_id:
        raise STEP.build_not_found_error(step_id)
    return step if include else strip_search_content(step)


def list_steps(
    session: Session,
    now: float,
    thread_id: str,
    run_id: str,
    query: ListQuery,
    include: Sequence[str] = (),
    *,
    unknown_cursor: UnknownCursorPolicy,
) -> ListObject[RunStepObject]:
    """A page of the run's steps, newest first unless asked otherwise (A11). Raises RunOverdue as `retrieve` does."""
    validate_include(include)
    retrieve(session, now, thread_id, run_id)
    page = list_objects(session, STEP, query, unknown_cursor=unknown_cursor, run_id=run_id)
    return page if include else {**page, "data": [strip_search_content(step) for step in page["data"]]}


class Submission(NamedTuple):
    """The run, queued again, the step that the outputs completed, and the next turn if that starts immediately."""

    run: RunObject
    step: RunStepObject
    turn: TurnStart | None


def submit_tool_outputs(
    session: Session, context: ServiceContext, thread_id: str, run_id: str, body: JsonMapping
) -> Submission:
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
