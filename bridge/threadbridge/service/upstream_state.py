"""The state that the upstream holds of a thread: read when a turn starts, written when the turn is committed (§2, §9).

A conversation is either named by the continuation point of its thread or has a cleanup intent under its own id.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from threadbridge.api_types import RunObject
from threadbridge.context_window.history_selector import read_spans
from threadbridge.ports import Entry, ObjectKind, Session
from threadbridge.run_states import RunStatus
from threadbridge.service import cleanup_intents
from threadbridge.service.cleanup_intents import CleanupIntent
from threadbridge.service.context import ServiceContext
from threadbridge.settings import HistoryMode
from threadbridge.translation.continuation import (
    Continuation,
    ContinuationPoint,
    NoContinuationReason,
    RequiredContext,
    Spans,
    compute_later_spans,
    find_mismatch,
    has_unanswered_calls,
)
from threadbridge.translation.stream_translator import TurnOutcome

_ANSWERED_STATUSES = frozenset({RunStatus.COMPLETED, RunStatus.REQUIRES_ACTION})


def plan_continuation(
    session: Session, context: ServiceContext, run: RunObject, spans: Spans, edits: int
) -> tuple[Continuation | None, Sequence[Entry]]:
    """The continuation of a turn whose history is these spans, and the entries that the turn has to send.

    A conversation is marked as in use until the turn ends: if the mark is still set later, its content is unknown.
    """
    thread_id = run["thread_id"]
    if context.rules.continuation.mode == "local":
        return None, read_spans(session, thread_id, spans)
    required_context = RequiredContext(
        spans, edits, context.rules.models.resolve(run, context.now).model, context.unix_seconds
    )
    point = get_continuation_point(session, thread_id)
    reason = find_mismatch(point, required_context, context.rules.continuation)
    if point is not None and reason is None:
        later = read_spans(session, thread_id, compute_later_spans(point, spans))
        if has_unanswered_calls(point, later):
            reason = "unanswered_calls"
        elif point.mode == "chained":
            return Continuation(point.mode, required_context, point), later
        else:
            save_continuation_point(session, thread_id, replace(point, in_use=True))
            known_id = point.upstream_id
            return Continuation(
                point.mode, required_context, point, conversation_id=known_id, superseded_conversation_id=known_id
            ), later
    superseded_conversation_id = None if point is None else _get_conversation_id(point, context)
    return Continuation(
        context.rules.continuation.mode,
        required_context,
        reason=reason,
        superseded_conversation_id=superseded_conversation_id,
    ), read_spans(session, thread_id, spans)


def record_new_conversation(session: Session, context: ServiceContext, conversation_id: str) -> None:
    """Record a new conversation that no continuation point names yet."""
    cleanup_intents.record_intent(session, _build_cleanup_intent(context, conversation_id))


def abandon_continuation(
    session: Session, context: ServiceContext, run: RunObject, continuation: Continuation, reason: NoContinuationReason
) -> tuple[Continuation, Sequence[Entry]]:
    """The upstream rejected the continuation: the turn without it, and all entries that the turn has to send.

    A conversation that is locked by another request stays, and a later turn sends what it missed.
    """
    thread_id = run["thread_id"]
    if continuation.point is None:
        _schedule_conversation_cleanup(session, context, continuation.conversation_id)
    elif reason == "locked":
        save_continuation_point(session, thread_id, continuation.point)
    else:
        session.remove(ObjectKind.UPSTREAM_STATE, thread_id)
        _schedule_conversation_cleanup(session, context, continuation.superseded_conversation_id)
    mode: HistoryMode | None = "local" if reason in ("locked", "unavailable") else None
    return continuation.fall_back(reason, mode=mode), read_spans(
        session, thread_id, continuation.required_context.spans
    )


def suspend_continuation(
    session: Session, run: RunObject, continuation: Continuation, reason: NoContinuationReason
) -> tuple[Continuation, Sequence[Entry]]:
    """The upstream rejected the request for an unknown reason: the turn without its continuation, which is stored on,
    and all entries that the turn has to send.
    """
    spans = continuation.required_context.spans
    return continuation.suspend(reason), read_spans(session, run["thread_id"], spans)


def restrict_to_spans(
    session: Session, context: ServiceContext, run: RunObject, continuation: Continuation | None, spans: Spans
) -> tuple[Continuation | None, Sequence[Entry]]:
    """The upstream found the turn too long: its continuation and entries for these spans only."""
    if continuation is None:
        return None, read_spans(session, run["thread_id"], spans)
    required_context = replace(continuation.required_context, spans=spans)
    return abandon_continuation(
        session, context, run, replace(continuation, required_context=required_context), "truncated"
    )


def record_turn_outcome(
    session: Session, context: ServiceContext, outcome: TurnOutcome, continuation: Continuation | None
) -> None:
    """Write the upstream state after the turn. Called in the transaction that writes the turn, after its entries."""
    if continuation is None or continuation.mode == "local":
        return
    thread_id = outcome.run["thread_id"]
    # The state that the upstream stores for an incomplete response is unknown.
    is_complete = outcome.run["status"] in _ANSWERED_STATUSES
    next_point = _build_next_point(session, context, outcome, continuation) if is_complete else None
    if next_point is not None:
        save_continuation_point(session, thread_id, next_point)
        if continuation.superseded_conversation_id != next_point.upstream_id:
            _schedule_conversation_cleanup(session, context, continuation.superseded_conversation_id)
        return
    if continuation.point is None:
        _schedule_conversation_cleanup(session, context, continuation.conversation_id)
    unchanged_point = continuation.point or continuation.kept_point
    if outcome.turn.usage is None and unchanged_point is not None:
        # The request was rejected, and the upstream state is unchanged.
        save_continuation_point(session, thread_id, unchanged_point)


def _build_next_point(
    session: Session, context: ServiceContext, outcome: TurnOutcome, continuation: Continuation
) -> ContinuationPoint | None:
    required_context = continuation.required_context
    upstream_id = outcome.turn.response_id if continuation.mode == "chained" else continuation.conversation_id
    if upstream_id is None or not required_context.spans:
        return None
    is_new = continuation.mode == "conversation" and continuation.point is None
    if is_new and not cleanup_intents.cancel_intent(session, upstream_id):
        return None  # it is so old that its cleanup has started
    newest = session.list_positions(outcome.run["thread_id"], limit=1, newest_first=True)[0].position
    items = (entry.item for entry in outcome.entries if entry.item is not None)
    return ContinuationPoint(
        mode=continuation.mode,
        upstream_id=upstream_id,
        service=context.rules.continuation.service,
        model=required_context.model,
        spans=(*required_context.spans[:-1], (required_context.spans[-1][0], newest)),
        edits=required_context.edits,
        run_id=outcome.run["id"],
        calls=tuple(item["call_id"] for item in items if item["type"] == "function_call"),
        at=context.unix_seconds,
        last_item_id=outcome.last_item_id,
    )


def get_continuation_point(session: Session, thread_id: str) -> ContinuationPoint | None:
    """The thread's continuation point, if any."""
    row = session.get(ObjectKind.UPSTREAM_STATE, thread_id)
    return None if row is None else ContinuationPoint.from_row(row)


def delete_upstream_state(session: Session, context: ServiceContext, thread_id: str) -> None:
    """Schedule the deletion of the conversation of a deleted thread, if it has one."""
    point = get_continuation_point(session, thread_id)
    if point is not None:
        _schedule_conversation_cleanup(session, context, _get_conversation_id(point, context))


def _get_conversation_id(point: ContinuationPoint, context: ServiceContext) -> str | None:
    """The id of the conversation that the current upstream stores, if any."""
    is_there = point.mode == "conversation" and point.service == context.rules.continuation.service
    return point.upstream_id if is_there else None


def _schedule_conversation_cleanup(session: Session, context: ServiceContext, conversation_id: str | None) -> None:
    """Have the cleanup sweeper delete a conversation that is no longer used."""
    if conversation_id is not None:
        cleanup_intents.record_intent(session, _build_cleanup_intent(context, conversation_id))
        cleanup_intents.start_cleanup(session, conversation_id)


def _build_cleanup_intent(context: ServiceContext, conversation_id: str) -> CleanupIntent:
    return {
        "id": conversation_id,
        "created_at": context.unix_seconds,
        "conversation_at": context.rules.continuation.service,
    }


def save_continuation_point(session: Session, thread_id: str, point: ContinuationPoint) -> None:
    """Save the thread's continuation point. Does nothing for a thread that was deleted meanwhile."""
    if session.get(ObjectKind.THREAD, thread_id) is None:
        return
    row = point.to_row(thread_id)
    if session.get(ObjectKind.UPSTREAM_STATE, thread_id) is None:
        session.add(ObjectKind.UPSTREAM_STATE, row)
    else:
        session.put(ObjectKind.UPSTREAM_STATE, row)
