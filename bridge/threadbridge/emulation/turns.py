"""The two transactions of a turn: taking a run up before the model is asked, writing down what it answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from threadbridge.emulation.context import Context
from threadbridge.emulation.deadline import settled
from threadbridge.emulation.endings import end, open_step, total_usage
from threadbridge.emulation.leases import claim, is_alive, is_own
from threadbridge.emulation.resources import Resources, resources_of
from threadbridge.lifecycle import RunStatus, is_active, may_step, stepped
from threadbridge.ports import Entry, Event, Kind, Session, Wire
from threadbridge.responses.forms import run_event, step_event
from threadbridge.responses.request import budget_exhausted
from threadbridge.responses.turn import TurnOutcome

#: A run writes one message a turn or so; more than this many are not counted.
_MESSAGES_OF_A_RUN = 1000


@dataclass(frozen=True, slots=True)
class TurnStart:
    """A run in progress, claimed by one worker, with all that the model will be shown."""

    run: Wire
    number: int
    timeline: Sequence[Entry]
    prior_usage: Wire | None
    #: What its hosted tools work on; None where it has none.
    resources: Resources | None = None


def begin(session: Session, context: Context, run_id: str) -> TurnStart | None:
    """Take a run up: `queued` goes to `in_progress`; a run whose worker vanished is taken over as it stands.

    None when there is nothing to do: the run ended, waits for outputs, spent its budget (A80), or somebody else works
    on it. Safe to call twice (design §3).
    """
    found = session.claimed_run(run_id)
    if found is None or (is_alive(found.lease, context.now) and not is_own(context, found.lease)):
        return None
    run = _taken_up(session, context, settled(session, context, found.run))
    return None if run is None else _started(session, context, run)


def begin_new(session: Session, context: Context, queued: Wire) -> TurnStart:
    """Store a new run as in progress already: its creator is shown `queued`, and one transaction is saved."""
    run = stepped(queued, RunStatus.IN_PROGRESS, context.second)
    session.add_run(run, claim(context))
    return TurnStart(run, 1, _selected(session, run, first=True), None, resources_of(session, run))


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
    timeline = _selected(session, run, first=not turns)
    return TurnStart(run, len(turns) + 1, timeline, prior_usage, resources_of(session, run))


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


def _selected(session: Session, run: Wire, *, first: bool) -> Sequence[Entry]:
    """What the model is shown: all of the thread, or the newest messages that the strategy asks for (A79).

    The messages counted are those that were there before the run; what the run itself wrote in earlier turns comes
    on top, or its own tool rounds would push the question out.
    """
    thread_id, wanted = run["thread_id"], run["truncation_strategy"]["last_messages"]
    if wanted is None:
        return session.timeline(thread_id)
    written = 0 if first else _messages_of(session, run)
    return session.timeline(thread_id, last_messages=wanted + written)


def _messages_of(session: Session, run: Wire) -> int:
    own = session.page(
        Kind.MESSAGE, limit=_MESSAGES_OF_A_RUN, order="desc", thread_id=run["thread_id"], run_id=run["id"]
    )
    return len(own.data)


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
    """What became of a turn. Not accepted: it came too late, nothing was written.

    `cut` is set where a request to cancel came first: the run as it was asked to stop, and the step that was closed.
    """

    accepted: bool
    run: Wire | None = None
    cut: tuple[Wire, Wire] | None = None


_TOO_LATE = Written(accepted=False)


def finish(session: Session, context: Context, outcome: TurnOutcome) -> Written:
    """Write a turn: messages, items, steps, usage and the run's new status become visible together (C2).

    A turn that lost its run meanwhile (deleted, expired, taken over) is dropped whole.
    """
    run_id = outcome.run["id"]
    found = session.claimed_run(run_id)
    if found is None or not is_active(found.run) or not is_own(context, found.lease):
        return _TOO_LATE
    session.append(found.run["thread_id"], outcome.entries)
    for step in outcome.steps:
        session.add(Kind.STEP, step)
    session.add_turn(run_id, outcome.turn)
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
