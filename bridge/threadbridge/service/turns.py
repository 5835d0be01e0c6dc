"""The two transactions of a turn: claim the run before the request to the model, and write the result after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from threadbridge.api_types import RunObject, RunStepObject, UsageObject
from threadbridge.context_window.history_selector import (
    SelectedHistory,
    select_history,
    select_history_by_count,
    select_shorter_history,
)
from threadbridge.context_window.report import HistoryReport, get_prompt_tokens, report_compaction
from threadbridge.ports import Entry, Event, Lease, ObjectKind, Session, Turn
from threadbridge.run_states import RunStatus, can_transition, is_active, transition_run
from threadbridge.service import generated_files, upstream_state
from threadbridge.service.context import ServiceContext
from threadbridge.service.generated_files import PersistedFile
from threadbridge.service.run_state import (
    build_lease,
    end_if_overdue,
    end_run,
    get_open_step,
    is_lease_valid,
    is_own_lease,
    is_unfinished,
    sum_turn_usage,
)
from threadbridge.service.spend_accounting import check_spend_limits, record_lost_turn, record_turn
from threadbridge.service.tool_resources import RunToolResources, collect_tool_resources, record_generated_files
from threadbridge.translation.continuation import Continuation, NoContinuationReason
from threadbridge.translation.models.resolution import ResolvedModel
from threadbridge.translation.request_builder import is_budget_exhausted
from threadbridge.translation.run_errors import build_last_error
from threadbridge.translation.stream_translator import TurnOutcome
from threadbridge.translation.wire_objects import build_run_event, build_step_event

_UNWRITTEN_MESSAGE = "The answer of the model could not be written to the store of ThreadBridge; its log says why."


@dataclass(frozen=True, slots=True)
class TurnStart:
    """A run in progress, leased by one worker, with everything that the request needs."""

    run: RunObject
    number: int
    #: The model that the turn requests instead of the run's (mapping §13, §14), at every attempt.
    model: ResolvedModel
    timeline: Sequence[Entry]
    prior_usage: UsageObject | None
    #: The report of the selected history (`context_window.report`).
    report: HistoryReport
    #: The resources of its hosted tools; None without hosted tools.
    resources: RunToolResources | None = None
    #: Tokens beyond which the upstream compacts its input.
    compact_at: int | None = None
    #: How it continues from upstream state; None if the upstream stores none.
    continuation: Continuation | None = None


def start_turn(session: Session, context: ServiceContext, run_id: str) -> TurnStart | None:
    """Claim a run: `queued` becomes `in_progress`; an abandoned run is claimed in the status it has.

    None when there is nothing to do: the run ended, waits for outputs, spent its budget (A80), or another worker has
    its lease. Safe to call twice.
    """
    claimed = session.get_run_with_lease(run_id)
    if claimed is None or _is_leased_elsewhere(context, claimed.lease):
        return None
    run = end_if_overdue(session, context, claimed.run)
    match run["status"]:
        case RunStatus.QUEUED:
            run = transition_run(run, RunStatus.IN_PROGRESS, context.unix_seconds)
        case RunStatus.IN_PROGRESS:
            pass
        case RunStatus.CANCELLING:
            end_run(session, context, run, RunStatus.CANCELLED)
            return None
        case _:
            return None
    return _start_unless_exhausted(session, context, run)


def claim_waiting_run(session: Session, context: ServiceContext, run_id: str) -> RunObject | None:
    """Acquire the lease of a run that waits for a slot here; None if it has ended or another worker has its lease."""
    claimed = session.get_run_with_lease(run_id)
    if claimed is None or not is_unfinished(claimed.run) or _is_leased_elsewhere(context, claimed.lease):
        return None
    session.set_lease(run_id, build_lease(context))
    return claimed.run


def _is_leased_elsewhere(context: ServiceContext, lease: Lease | None) -> bool:
    return not is_own_lease(context, lease) and is_lease_valid(
        lease, context.now, lease_seconds=context.rules.limits.lease_seconds
    )


def start_first_turn(session: Session, context: ServiceContext, queued: RunObject) -> TurnStart | None:
    """Store a new run as in progress already, which saves a transaction; its creator receives it as `queued`.

    None when its budget is too small for a first turn: the run has ended.
    """
    run = transition_run(queued, RunStatus.IN_PROGRESS, context.unix_seconds)
    session.add_run(run, build_lease(context))
    return _prepare_turn(session, context, run, number=1, prior_usage=None)


def start_next_turn(session: Session, context: ServiceContext, queued: RunObject) -> TurnStart | None:
    """The same for a run that was just queued again with the outputs of its calls."""
    return _start_unless_exhausted(
        session, context, transition_run(queued, RunStatus.IN_PROGRESS, context.unix_seconds)
    )


def _start_unless_exhausted(session: Session, context: ServiceContext, run: RunObject) -> TurnStart | None:
    """Write the run as in progress and leased, unless its budget is spent."""
    turns = session.list_turns(run["id"])
    prior_usage = sum_turn_usage(turns)
    if is_budget_exhausted(run, prior_usage):
        end_run(session, context, run, RunStatus.INCOMPLETE, incomplete_details={"reason": "max_completion_tokens"})
        return None
    session.put_run(run, build_lease(context))
    return _prepare_turn(session, context, run, number=len(turns) + 1, prior_usage=prior_usage)


def _prepare_turn(
    session: Session, context: ServiceContext, run: RunObject, *, number: int, prior_usage: UsageObject | None
) -> TurnStart | None:
    """The turn with its history; a history that exceeds a token or spend limit ends the run instead (A80)."""
    history = select_history(session, context.rules.history, run, prior_usage=prior_usage, first=number == 1)
    token_count = get_prompt_tokens(history.report)
    has_history = history.fits or bool(history.spans)
    spend_error = (
        check_spend_limits(session, context, run, token_count, prior_usage=prior_usage) if has_history else None
    )
    if has_history and spend_error is None:
        continuation, timeline = upstream_state.plan_continuation(session, context, run, history.spans, history.edits)
        return TurnStart(
            run,
            number,
            context.rules.models.resolve(run, context.now),
            timeline,
            prior_usage,
            history.report,
            resources=collect_tool_resources(session, run),
            compact_at=history.compact_at,
            continuation=continuation,
        )
    session.add_turn(run["id"], Turn(number, report={"history": history.report, "model": None, "warnings": []}))
    if spend_error is None:
        end_run(session, context, run, RunStatus.INCOMPLETE, incomplete_details={"reason": "max_prompt_tokens"})
    else:
        end_run(session, context, run, RunStatus.FAILED, last_error=spend_error)
    return None


def shorten_turn(session: Session, context: ServiceContext, start: TurnStart) -> TurnStart | None:
    """The turn with a shorter history, after the upstream found it too long; None if nothing can be dropped."""
    history = select_shorter_history(
        session, context.rules.history, start.run, rejected_report=start.report, first=start.number == 1
    )
    return None if history is None else _replace_history(session, context, start, history)


def apply_exact_count(
    session: Session, context: ServiceContext, start: TurnStart, counted: int
) -> tuple[TurnStart, bool | None]:
    """The turn after the upstream counted its prompt, and whether it fits its budget.

    None: it did not fit and was shortened; False: it does not fit and nothing can be dropped (A80).
    """
    budget = start.report["budget"]
    fits = budget is None or counted <= budget["tokens"]
    counted_turn = replace(start, report={**start.report, "fits": fits, "counted": counted})
    if fits:
        return counted_turn, True
    history = select_history_by_count(
        session, context.rules.history, start.run, counted=counted, counted_report=start.report, first=start.number == 1
    )
    return (counted_turn, False) if history is None else (_replace_history(session, context, start, history), None)


def _replace_history(
    session: Session, context: ServiceContext, start: TurnStart, history: SelectedHistory
) -> TurnStart:
    """The turn with a shorter history, a part of the previous one."""
    continuation, timeline = upstream_state.restrict_to_spans(
        session, context, start.run, start.continuation, history.spans
    )
    return replace(
        start,
        timeline=timeline,
        report=history.report,
        compact_at=history.compact_at,
        continuation=continuation,
    )


def fall_back_to_full_history(
    session: Session, context: ServiceContext, start: TurnStart, reason: NoContinuationReason
) -> TurnStart:
    """The turn with its full history, for an upstream that cannot continue from its stored state."""
    if start.continuation is None:
        return start
    continuation, timeline = upstream_state.abandon_continuation(
        session, context, start.run, start.continuation, reason
    )
    return replace(start, continuation=continuation, timeline=timeline)


def try_full_history(session: Session, start: TurnStart, reason: NoContinuationReason) -> TurnStart:
    """The turn with its full history, for a request that the upstream rejected for an unknown reason."""
    if start.continuation is None:
        return start
    continuation, timeline = upstream_state.suspend_continuation(session, start.run, start.continuation, reason)
    return replace(start, continuation=continuation, timeline=timeline)


def renew_lease(session: Session, context: ServiceContext, run_id: str) -> RunObject | None:
    """Renew the lease. Returns the run, or None when the lease is no longer this worker's."""
    claimed = session.get_run_with_lease(run_id)
    if claimed is None or not is_active(claimed.run) or not is_own_lease(context, claimed.lease):
        return None
    session.set_lease(run_id, build_lease(context))
    return claimed.run


def release_lease(session: Session, context: ServiceContext, run_id: str) -> None:
    """Release the lease of an unfinished run, so that the next worker need not wait for it to expire."""
    if is_own_lease(context, session.get_lease(run_id)):
        session.set_lease(run_id, None)


def fail_unwritten_run(session: Session, context: ServiceContext, run_id: str) -> None:
    """End an unfinished run whose turn was performed and could not be written, unless another worker has its lease."""
    claimed = session.get_run_with_lease(run_id)
    if claimed is None or not is_unfinished(claimed.run) or _is_leased_elsewhere(context, claimed.lease):
        return
    run = claimed.run
    if run["status"] == RunStatus.QUEUED:
        run = transition_run(run, RunStatus.IN_PROGRESS, context.unix_seconds)
    if run["status"] == RunStatus.CANCELLING:
        end_run(session, context, run, RunStatus.CANCELLED)
    else:
        end_run(session, context, run, RunStatus.FAILED, last_error=build_last_error(_UNWRITTEN_MESSAGE))


@dataclass(frozen=True, slots=True)
class TurnCommit:
    """The result of `commit_turn`. Not accepted: the turn had lost its run, and nothing was written.

    `late_cancellation` is set when the run was cancelled during the turn: the cancelling run and the closed step.
    """

    accepted: bool
    run: RunObject | None = None
    late_cancellation: tuple[RunObject, RunStepObject] | None = None
    is_thread_deleted: bool = False


def commit_turn(
    session: Session,
    context: ServiceContext,
    outcome: TurnOutcome,
    persisted_files: Sequence[PersistedFile] = (),
    continuation: Continuation | None = None,
) -> TurnCommit:
    """Write a turn in one transaction: messages, items, steps, files, usage and the run's new status (C2).

    The entries have their token counts. Of a turn that lost its run meanwhile (deleted, expired, leased by another
    worker), only the cost is recorded.
    """
    run_id = outcome.run["id"]
    claimed = session.get_run_with_lease(run_id)
    if claimed is None or not is_active(claimed.run) or not is_own_lease(context, claimed.lease):
        record_lost_turn(session, context, outcome.run, outcome.turn, outcome.steps)
        return TurnCommit(accepted=False, is_thread_deleted=claimed is None)
    session.append_entries(claimed.run["thread_id"], outcome.entries)
    upstream_state.record_turn_outcome(session, context, outcome, continuation)
    for step in outcome.steps:
        session.add(ObjectKind.STEP, step)
    record_turn(session, context, claimed.run, report_compaction(outcome.turn, outcome.entries), outcome.steps)
    if persisted_files:
        visible_file_ids = generated_files.add_files(session, context, persisted_files)
        generated_file_ids = {
            location: file_id for location, file_id in outcome.container_file_ids.items() if file_id in visible_file_ids
        }
        record_generated_files(session, claimed.run["thread_id"], generated_file_ids, now=context.unix_seconds)
    if can_transition(claimed.run, RunStatus(outcome.run["status"])):
        session.put_run(outcome.run, None)
        return TurnCommit(accepted=True, run=outcome.run)
    # The run was cancelled meanwhile, which takes precedence over further tool calls (A61).
    waiting = get_open_step(session, run_id)
    cancelled = end_run(session, context, claimed.run, RunStatus.CANCELLED)
    closed = session.get(ObjectKind.STEP, waiting["id"]) if waiting is not None else None
    return TurnCommit(accepted=True, run=cancelled, late_cancellation=None if closed is None else (claimed.run, closed))


def finalize_closing_events(closing: Sequence[Event], commit: TurnCommit) -> Sequence[Event]:
    """The closing events of a committed turn, with those of a late cancellation in the order of A95."""
    if commit.late_cancellation is None or commit.run is None:
        return closing
    cancelling, step = commit.late_cancellation
    return [
        *closing[:-1],
        build_run_event(cancelling),
        build_step_event(step, cancelling["expires_at"]),
        build_run_event(commit.run),
    ]
