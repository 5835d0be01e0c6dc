"""The two transactions of a turn: taking a run up before the model is asked, writing down what it answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from threadbridge.context_window.history_selector import History, chosen, chosen_shorter, chosen_within
from threadbridge.context_window.report import prompt_tokens, with_compaction
from threadbridge.context_window.token_counts import weighed
from threadbridge.context_window.upstream_continuation import Continuation, Reason
from threadbridge.ports import Entry, Event, Kind, Session, Turn, Wire
from threadbridge.run_states import RunStatus, is_active, may_step, stepped
from threadbridge.service import containers, generated_files, upstream_state
from threadbridge.service.context import Context
from threadbridge.service.generated_files import KeptFile
from threadbridge.service.leases import claim, is_alive, is_own
from threadbridge.service.run_expiry import settled
from threadbridge.service.run_termination import end, open_step, total_usage
from threadbridge.service.spend_accounting import add_turn, count_lost, too_dear
from threadbridge.service.tool_resources import Resources, resources_of
from threadbridge.translation.models.resolution import ResolvedModel
from threadbridge.translation.request_builder import budget_exhausted
from threadbridge.translation.turn_result import TurnOutcome
from threadbridge.translation.wire_objects import run_event, step_event


@dataclass(frozen=True, slots=True)
class TurnStart:
    """A run in progress, claimed by one worker, with all that the model will be sent."""

    run: Wire
    number: int
    #: What is asked in place of the run's model (mapping §13, §14), however often the turn asks.
    model: ResolvedModel
    timeline: Sequence[Entry]
    prior_usage: Wire | None
    #: What of the thread was chosen, and why (`history.report`).
    report: Wire
    #: What its hosted tools work on; None where it has none.
    resources: Resources | None = None
    #: Tokens beyond which the service is to compact what it is shown.
    compact_at: int | None = None
    #: How it goes on from what the service keeps; None where the service keeps nothing.
    continuation: Continuation | None = None


def begin(session: Session, context: Context, run_id: str) -> TurnStart | None:
    """Take a run up: `queued` goes to `in_progress`; a run whose worker vanished is taken over as it stands.

    None when there is nothing to do: the run ended, waits for outputs, spent its budget (A80), or somebody else works
    on it. Safe to call twice.
    """
    found = session.claimed_run(run_id)
    if found is None or (is_alive(found.lease, context.now) and not is_own(context, found.lease)):
        return None
    run = _taken_up(session, context, settled(session, context, found.run))
    return None if run is None else _started(session, context, run)


def begin_new(session: Session, context: Context, queued: Wire) -> TurnStart | None:
    """Store a new run as in progress already: its creator is shown `queued`, and one transaction is saved.

    None when its budget is too small to begin with: it has ended.
    """
    run = stepped(queued, RunStatus.IN_PROGRESS, context.second)
    session.add_run(run, claim(context))
    return _shown(session, context, run, number=1, prior_usage=None)


def begin_next(session: Session, context: Context, queued: Wire) -> TurnStart | None:
    """The same for a run that was just queued again, with the outputs of its calls."""
    return _started(session, context, stepped(queued, RunStatus.IN_PROGRESS, context.second))


def _started(session: Session, context: Context, run: Wire) -> TurnStart | None:
    """Write the run down as in progress and claimed, unless its budget is spent."""
    turns = session.turns(run["id"])
    prior_usage = total_usage(turns)
    if budget_exhausted(run, prior_usage):
        end(session, context, run, RunStatus.INCOMPLETE, incomplete_details={"reason": "max_completion_tokens"})
        return None
    session.put_run(run, claim(context))
    return _shown(session, context, run, number=len(turns) + 1, prior_usage=prior_usage)


def _shown(session: Session, context: Context, run: Wire, *, number: int, prior_usage: Wire | None) -> TurnStart | None:
    """The turn with its history chosen; what is too long or too dear ends the run instead (A80)."""
    history = chosen(session, context.rules.history, run, prior_usage=prior_usage, first=number == 1)
    weight = prompt_tokens(history.report)
    is_shown = history.fits or bool(history.spans)
    unpaid = too_dear(session, context, run, weight, prior_usage=prior_usage) if is_shown else None
    if is_shown and unpaid is None:
        continuation, timeline = upstream_state.taken_up(session, context, run, history.spans, history.edits)
        return TurnStart(
            run,
            number,
            context.rules.models.resolved(run, context.now),
            timeline,
            prior_usage,
            history.report,
            resources=resources_of(session, run),
            compact_at=history.compact_at,
            continuation=continuation,
        )
    session.add_turn(run["id"], Turn(number, report={"history": history.report, "model": None, "warnings": []}))
    if unpaid is None:
        end(session, context, run, RunStatus.INCOMPLETE, incomplete_details={"reason": "max_prompt_tokens"})
    else:
        end(session, context, run, RunStatus.FAILED, last_error=unpaid)
    return None


def shortened(session: Session, context: Context, start: TurnStart) -> TurnStart | None:
    """The turn with less of the thread, for the service found it too long; None where nothing can be left out."""
    history = chosen_shorter(session, context.rules.history, start.run, refused=start.report, first=start.number == 1)
    return None if history is None else _with(session, context, start, history)


def recounted(session: Session, context: Context, start: TurnStart, counted: int) -> tuple[TurnStart, bool | None]:
    """The turn, whose prompt the service counted, and whether it fits into its budget.

    None: it did not, and is shorter now; False: nothing can be left out (A80).
    """
    fits = counted <= start.report["budget"]["tokens"]
    told = replace(start, report={**start.report, "fits": fits, "counted": counted})
    if fits:
        return told, True
    history = chosen_within(
        session, context.rules.history, start.run, counted=counted, told=start.report, first=start.number == 1
    )
    return (told, False) if history is None else (_with(session, context, start, history), None)


def _with(session: Session, context: Context, start: TurnStart, history: History) -> TurnStart:
    """The turn with another history, a part of the one it had."""
    continuation, timeline = upstream_state.cut_down(session, context, start.run, start.continuation, history.spans)
    return replace(
        start,
        timeline=timeline,
        report=history.report,
        compact_at=history.compact_at,
        continuation=continuation,
    )


def _taken_up(session: Session, context: Context, run: Wire) -> Wire | None:
    match run["status"]:
        case RunStatus.QUEUED:
            return stepped(run, RunStatus.IN_PROGRESS, context.second)
        case RunStatus.IN_PROGRESS:
            return run
        case RunStatus.CANCELLING:
            end(session, context, run, RunStatus.CANCELLED)
            return None
        case _:
            return None


def sent_whole(session: Session, context: Context, start: TurnStart, reason: Reason) -> TurnStart:
    """The turn with all that the model is to be shown, where the service does not go on from what it kept."""
    if start.continuation is None:
        return start
    continuation, timeline = upstream_state.given_up(session, context, start.run, start.continuation, reason)
    return replace(start, continuation=continuation, timeline=timeline)


def keep_alive(session: Session, context: Context, run_id: str) -> Wire | None:
    """Prolong the claim; the run as it stands, or None when it is this worker's no longer."""
    found = session.claimed_run(run_id)
    if found is None or not is_active(found.run) or not is_own(context, found.lease):
        return None
    session.set_lease(run_id, claim(context))
    return found.run


def release(session: Session, context: Context, run_id: str) -> None:
    """Give a run back unfinished, so that the next worker need not wait for the claim to lapse."""
    if is_own(context, session.lease(run_id)):
        session.set_lease(run_id, None)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a turn. Not accepted: it came too late, nothing was written; `is_gone`: its thread was deleted.

    `cut` is set where a request to cancel came first: the run as it was asked to stop, and the step that was closed.
    """

    accepted: bool
    run: Wire | None = None
    cut: tuple[Wire, Wire] | None = None
    is_gone: bool = False


def finish(
    session: Session,
    context: Context,
    outcome: TurnOutcome,
    kept: Sequence[KeptFile] = (),
    continuation: Continuation | None = None,
) -> Written:
    """Write a turn: messages, items, steps, files, usage and the run's new status become visible together (C2).

    A turn that lost its run meanwhile (deleted, expired, taken over) is dropped whole; only its cost is remembered.
    """
    run_id = outcome.run["id"]
    found = session.claimed_run(run_id)
    if found is None or not is_active(found.run) or not is_own(context, found.lease):
        count_lost(session, context, outcome.run, outcome.turn, outcome.steps)
        return Written(accepted=False, is_gone=found is None)
    session.append(found.run["thread_id"], weighed(outcome.entries, context.rules.history.count))
    upstream_state.note(session, context, outcome, continuation)
    for step in outcome.steps:
        session.add(Kind.STEP, step)
    add_turn(session, context, found.run, with_compaction(outcome.turn, outcome.entries), outcome.steps)
    if kept:
        lasting = generated_files.add(session, context, kept)
        made = {place: file_id for place, file_id in outcome.places.items() if file_id in lasting}
        containers.note_made(session, found.run["thread_id"], made, now=context.second)
    if may_step(found.run, RunStatus(outcome.run["status"])):
        session.put_run(outcome.run, None)
        return Written(accepted=True, run=outcome.run)
    # A request to cancel came in between and wins over further tool calls (A61).
    waiting = open_step(session, run_id)
    cancelled = end(session, context, found.run, RunStatus.CANCELLED)
    closed = session.get(Kind.STEP, waiting["id"]) if waiting is not None else None
    return Written(accepted=True, run=cancelled, cut=None if closed is None else (found.run, closed))


def told(closing: Sequence[Event], written: Written) -> Sequence[Event]:
    """The closing events of a turn as it was written: cancelled in the last moment, it says so in order (A95)."""
    if written.cut is None or written.run is None:
        return closing
    cancelling, step = written.cut
    return [
        *closing[:-1],
        run_event(cancelling),
        step_event(step, cancelling["expires_at"]),
        run_event(written.run),
    ]
