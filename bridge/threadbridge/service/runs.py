"""Creating, reading, changing and cancelling runs (A48-A61)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from threadbridge.errors import InvalidRequest
from threadbridge.ports import Kind, ListQuery, Session, Wire
from threadbridge.run_states import RunStatus, is_active, stepped
from threadbridge.service import threads
from threadbridge.service.attachments import Supplied, done, grant
from threadbridge.service.context import Context
from threadbridge.service.leases import claim, is_held
from threadbridge.service.object_factory import new_run
from threadbridge.service.queries import found, found_in_thread, listing_in_thread
from threadbridge.service.run_expiry import in_time, settled
from threadbridge.service.run_termination import end
from threadbridge.service.thread_lock import refuse_runs
from threadbridge.service.turns import TurnStart, begin_new
from threadbridge.settings import UnknownCursor
from threadbridge.translation.capability_fallbacks import refuse_missing_tools
from threadbridge.validation import RUN_CREATE, RUN_UPDATE, THREAD_AND_RUN_CREATE, check_id, check_include, checked


class StartedRun(NamedTuple):
    """A run that was just queued, its thread, and its first turn where that begins at once."""

    run: Wire
    thread: Wire
    turn: TurnStart | None


def create(
    session: Session,
    context: Context,
    thread_id: str,
    body: Wire,
    include: Sequence[str] = (),
    supplied: Supplied | None = None,
) -> StartedRun:
    """Queue a run and lock its thread in one transaction (A42, A52).

    Raises ThreadBusy for a busy thread (A52), InvalidRequest for a run with nothing to say (A53), NotFound for an
    unknown thread or assistant, Unsupported for a tool the service behind lacks, where the policy says so.
    """
    check_id("thread_id", "thread", thread_id)
    check_include(include)
    given = checked(RUN_CREATE, body, limits=context.rules.limits)
    thread = found(session, Kind.THREAD, thread_id)
    refuse_runs(session, context, thread_id)
    thread = grant(session, thread, given.get("additional_messages", ()), supplied)
    done(session, supplied)
    return _queue(session, context, thread, given)


def create_with_thread(
    session: Session,
    context: Context,
    body: Wire,
    include: Sequence[str] = (),
    supplied: Supplied | None = None,
) -> StartedRun:
    """Create a thread and queue a run on it (A54)."""
    check_include(include)
    given = checked(THREAD_AND_RUN_CREATE, body, limits=context.rules.limits)
    found(session, Kind.ASSISTANT, given["assistant_id"])
    thread = threads.insert(session, context, given.get("thread", {}), supplied)
    thread = grant(session, thread, given.get("additional_messages", ()), supplied)
    done(session, supplied)
    return _queue(session, context, thread, given)


def _queue(session: Session, context: Context, thread: Wire, given: Wire) -> StartedRun:
    assistant = found(session, Kind.ASSISTANT, given["assistant_id"])
    threads.append_messages(session, context, thread["id"], given.get("additional_messages", ()))
    run = new_run(context, thread, assistant, given)
    context.rules.models.check(run, context.now)
    refuse_missing_tools(run["tools"], context.rules.profile, context.rules.missing_tool)
    if not run["instructions"] and not session.timeline(thread["id"], last_messages=1):
        raise InvalidRequest(
            "Run creation requires a Thread with a user message or an assistant with instructions.",
            code="invalid_thread",
        )
    if context.takes_up:
        return StartedRun(run, thread, begin_new(session, context, run))
    session.add_run(run, claim(context))
    return StartedRun(run, thread, None)


def retrieve(session: Session, now: float, thread_id: str, run_id: str) -> Wire:
    """The run as it is. Raises Overdue when its time is up and not yet written down (A60)."""
    return in_time(session, now, found_in_thread(session, Kind.RUN, thread_id, run_id))


def list_all(session: Session, now: float, thread_id: str, query: ListQuery, *, unknown_cursor: UnknownCursor) -> Wire:
    """A page of the thread's runs, newest first unless asked otherwise (C12). Raises Overdue as `retrieve` does."""
    check_id("thread_id", "thread", thread_id)
    active = session.active_run(thread_id)
    if active is not None:
        in_time(session, now, active)
    return listing_in_thread(session, Kind.RUN, thread_id, query, unknown_cursor=unknown_cursor)


def to_change(session: Session, context: Context, thread_id: str, run_id: str) -> Wire:
    """The run a request wants to change, its deadline looked at first."""
    return settled(session, context, found_in_thread(session, Kind.RUN, thread_id, run_id))


def update(session: Session, context: Context, thread_id: str, run_id: str, body: Wire) -> Wire:
    """The run with its metadata replaced. Raises InvalidRequest while it is active (A57)."""
    changes = checked(RUN_UPDATE, body, limits=context.rules.limits)
    run = to_change(session, context, thread_id, run_id)
    if is_active(run):
        raise InvalidRequest(f"Cannot update run with status '{run['status']}'.")
    after = {**run, **changes}
    session.put(Kind.RUN, after)
    return after


def cancel(session: Session, context: Context, thread_id: str, run_id: str) -> Wire:
    """Ask a run to stop; the answer says `cancelling` (A61).

    A run nobody works on is cancelled at once, so that the thread is free again (C8); a worker comes to rest first.
    """
    run = to_change(session, context, thread_id, run_id)
    if not is_active(run) or run["status"] == RunStatus.CANCELLING:
        raise InvalidRequest(f"Cannot cancel run with status '{run['status']}'.")
    cancelling = stepped(run, RunStatus.CANCELLING, context.second)
    if _is_worked_on(session, context, run):
        session.put(Kind.RUN, cancelling)
    else:
        end(session, context, cancelling, RunStatus.CANCELLED)
    return cancelling


def _is_worked_on(session: Session, context: Context, run: Wire) -> bool:
    """Whether a worker may be talking to the model for this run."""
    if run["status"] != RunStatus.IN_PROGRESS:
        return False
    return is_held(session, context.now, run["id"])
