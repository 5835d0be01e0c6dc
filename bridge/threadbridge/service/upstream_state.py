"""What the service behind keeps of a thread: taken up by a turn, and written down with what the turn said (§2, §9).

A conversation is named by the anchor of its thread, or has an errand under its own name that has it deleted there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from threadbridge.context_window.history_selector import shown
from threadbridge.context_window.upstream_continuation import (
    Anchor,
    Continuation,
    Reason,
    Spans,
    Wanted,
    has_open_calls,
    later_spans,
    why_not,
)
from threadbridge.ports import Entry, Kind, Session, Wire
from threadbridge.run_states import RunStatus
from threadbridge.service import cleanup_intents
from threadbridge.service.context import Context
from threadbridge.settings import HistoryMode
from threadbridge.translation.turn_result import TurnOutcome

_SPOKEN = frozenset({RunStatus.COMPLETED, RunStatus.REQUIRES_ACTION})


def taken_up(
    session: Session, context: Context, run: Wire, spans: Spans, edits: int
) -> tuple[Continuation | None, Sequence[Entry]]:
    """How a turn goes on that is to show the model these spans, and the entries it has to send for that.

    A conversation is marked as in use until the turn has ended: one that was never given back holds nobody knows what.
    """
    thread_id: str = run["thread_id"]
    if context.rules.state.mode == "local":
        return None, shown(session, thread_id, spans)
    wanted = Wanted(spans, edits, context.rules.models.resolved(run, context.now).model, context.second)
    anchor = of_thread(session, thread_id)
    reason = why_not(anchor, wanted, context.rules.state)
    if anchor is not None and reason is None:
        later = shown(session, thread_id, later_spans(anchor, spans))
        if not has_open_calls(anchor, later):
            return _from(session, thread_id, anchor, wanted), later
        reason = "unanswered_calls"
    left = None if anchor is None else _conversation(anchor, context)
    return Continuation(context.rules.state.mode, wanted, reason=reason, left=left), shown(session, thread_id, spans)


def _from(session: Session, thread_id: str, anchor: Anchor, wanted: Wanted) -> Continuation:
    if anchor.mode == "chained":
        return Continuation(anchor.mode, wanted, anchor)
    put(session, thread_id, replace(anchor, in_use=True))
    return Continuation(anchor.mode, wanted, anchor, conversation_id=anchor.upstream_id, left=anchor.upstream_id)


def made(session: Session, context: Context, conversation_id: str) -> None:
    """A conversation was made, which no anchor names yet."""
    cleanup_intents.note(session, _errand(context, conversation_id))


def given_up(
    session: Session, context: Context, run: Wire, continuation: Continuation, reason: Reason
) -> tuple[Continuation, Sequence[Entry]]:
    """The service refused to go on: the turn as it goes on without an anchor, and everything it has to send.

    A conversation that somebody holds is left as it is, and told later what it missed.
    """
    thread_id: str = run["thread_id"]
    if continuation.anchor is None:
        _release(session, context, continuation.conversation_id)
    elif reason == "locked":
        put(session, thread_id, continuation.anchor)
    else:
        session.remove(Kind.ANCHOR, thread_id)
        _release(session, context, continuation.left)
    mode: HistoryMode | None = "local" if reason in ("locked", "unavailable") else None
    return continuation.without(reason, mode=mode), shown(session, thread_id, continuation.wanted.spans)


def cut_down(
    session: Session, context: Context, run: Wire, continuation: Continuation | None, spans: Spans
) -> tuple[Continuation | None, Sequence[Entry]]:
    """The service found the turn too long: the model is shown no more than these spans."""
    if continuation is None:
        return None, shown(session, run["thread_id"], spans)
    wanted = replace(continuation.wanted, spans=spans)
    return given_up(session, context, run, replace(continuation, wanted=wanted), "truncated")


def note(session: Session, context: Context, outcome: TurnOutcome, continuation: Continuation | None) -> None:
    """Write down what the service keeps now. For the transaction that writes the turn, after its entries."""
    if continuation is None or continuation.mode == "local":
        return
    thread_id: str = outcome.run["thread_id"]
    after = _after(session, context, outcome, continuation) if _is_complete(outcome) else None
    if after is not None:
        put(session, thread_id, after)
        if continuation.left != after.upstream_id:
            _release(session, context, continuation.left)
    elif continuation.anchor is None:
        _release(session, context, continuation.conversation_id)
    elif outcome.turn.usage is None:
        put(session, thread_id, continuation.anchor)  # the request was refused, and the service knows nothing of it


def _is_complete(outcome: TurnOutcome) -> bool:
    """Whether the service completed the response. What it keeps of another one is not known."""
    return outcome.run["status"] in _SPOKEN


def _after(session: Session, context: Context, outcome: TurnOutcome, continuation: Continuation) -> Anchor | None:
    wanted = continuation.wanted
    upstream_id = outcome.turn.response_id if continuation.mode == "chained" else continuation.conversation_id
    if upstream_id is None or not wanted.spans:
        return None
    is_new = continuation.mode == "conversation" and continuation.anchor is None
    if is_new and not cleanup_intents.fulfilled(session, upstream_id):
        return None  # it was made so long ago that it is being deleted
    newest = session.places(outcome.run["thread_id"], limit=1, newest_first=True)[0].position
    items = (entry.item for entry in outcome.entries if entry.item is not None)
    return Anchor(
        mode=continuation.mode,
        upstream_id=upstream_id,
        service=context.rules.state.service,
        model=wanted.model,
        spans=(*wanted.spans[:-1], (wanted.spans[-1][0], newest)),
        edits=wanted.edits,
        run_id=outcome.run["id"],
        calls=tuple(item["call_id"] for item in items if item["type"] == "function_call"),
        at=context.second,
        last_item_id=outcome.last_item_id,
    )


def of_thread(session: Session, thread_id: str) -> Anchor | None:
    """What is kept of the thread, where anything is."""
    row = session.get(Kind.ANCHOR, thread_id)
    return None if row is None else Anchor.from_row(row)


def forget(session: Session, context: Context, thread_id: str) -> None:
    """The thread is deleted: what is kept of it goes too, as far as it can."""
    anchor = of_thread(session, thread_id)
    if anchor is not None:
        _release(session, context, _conversation(anchor, context))


def _conversation(anchor: Anchor, context: Context) -> str | None:
    """The conversation that the service behind keeps, where it does keep one."""
    is_there = anchor.mode == "conversation" and anchor.service == context.rules.state.service
    return anchor.upstream_id if is_there else None


def _release(session: Session, context: Context, conversation_id: str | None) -> None:
    """Nobody goes on with the conversation any more: it is deleted at the next look."""
    if conversation_id is not None:
        cleanup_intents.note(session, _errand(context, conversation_id))
        cleanup_intents.condemned(session, conversation_id)


def _errand(context: Context, conversation_id: str) -> Wire:
    return {"id": conversation_id, "created_at": context.second, "conversation_at": context.rules.state.service}


def put(session: Session, thread_id: str, anchor: Anchor) -> None:
    """From now on this is what is kept of the thread. Does nothing for one that was deleted meanwhile."""
    if session.get(Kind.THREAD, thread_id) is None:
        return
    row = anchor.to_row(thread_id)
    if session.get(Kind.ANCHOR, thread_id) is None:
        session.add(Kind.ANCHOR, row)
    else:
        session.put(Kind.ANCHOR, row)
