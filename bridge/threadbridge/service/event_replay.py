"""Replay a run to a follower from the store, when its events are in no event log.

Nothing of a turn is visible before it is committed (C2), so a replay is coarser than a stream: whole messages, ended
steps, and the run in the statuses that were read. It keeps no state, and any process with the store can continue it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Self, cast

from threadbridge.api_types import (
    AnnotationDelta,
    MessageContentPart,
    MessageContentPartDelta,
    MessageDeltaObject,
    MessageIncompleteReason,
    MessageObject,
    MessageStatus,
    RunObject,
    RunStepObject,
    TextPartDelta,
)
from threadbridge.ports import Event, ObjectKind, Session
from threadbridge.run_states import RunStatus
from threadbridge.service import runs
from threadbridge.translation.hosted_tools.registry import strip_event_search_content
from threadbridge.translation.wire_objects import build_run_event, build_step_event, build_streamed_message

#: A run has one or two steps a turn; steps beyond this many are not replayed.
_MAX_STEPS = 1000

_EVENT_ID = re.compile(r"stored-(?P<steps>\d{1,6})\.(?P<events>\d)-(?P<status>[a-z_]*)", re.ASCII)

#: Why a message is incomplete, by the status of its step (A39).
_INCOMPLETE_REASONS: Mapping[str, MessageIncompleteReason] = {
    "cancelled": "run_cancelled",
    "expired": "run_expired",
    "failed": "run_failed",
}


@dataclass(frozen=True, slots=True)
class ReplayCursor:
    """The position of a follower: steps sent, events of the next step sent, and the last run status sent."""

    steps: int = 0
    events: int = 0
    status: str = ""

    @classmethod
    def from_event_id(cls, event_id: str) -> Self | None:
        """The cursor in an event's id; None for an id of another form."""
        found = _EVENT_ID.fullmatch(event_id)
        return None if found is None else cls(int(found["steps"]), int(found["events"]), found["status"])

    def __str__(self) -> str:
        return f"stored-{self.steps}.{self.events}-{self.status}"


class NewEvents(NamedTuple):
    """The events since a cursor, the cursor after them, and the run as it was read."""

    events: Sequence[Event]
    replay_cursor: ReplayCursor
    run: RunObject


def read_new_events(
    session: Session, now: float, thread_id: str, run_id: str, replay_cursor: ReplayCursor
) -> NewEvents:
    """The events after `replay_cursor`, each with its id. Raises NotFound and RunOverdue as `runs.retrieve` does."""
    run = runs.retrieve(session, now, thread_id, run_id)
    steps = session.get_page(ObjectKind.STEP, limit=_MAX_STEPS, order="asc", run_id=run_id).data
    events: list[Event] = []
    for step in steps[replay_cursor.steps :]:
        if step["status"] == "in_progress":
            break
        of_step = _build_step_events(session, run, step, last=step is steps[-1])
        for at in range(
            min(replay_cursor.events, len(of_step) - 1), len(of_step)
        ):  # fewer if the message was deleted since
            replay_cursor = (
                ReplayCursor(replay_cursor.steps, at + 1)
                if at + 1 < len(of_step)
                else ReplayCursor(replay_cursor.steps + 1)
            )
            events.append(of_step[at]._replace(id=str(replay_cursor)))
    if replay_cursor.status != run["status"]:
        replay_cursor = replace(replay_cursor, status=run["status"])
        events.append(build_run_event(run)._replace(id=str(replay_cursor)))
    return NewEvents(events, replay_cursor, run)


def build_end_events(session: Session, run: RunObject, waiting: RunObject) -> Sequence[Event]:
    """The end of a run that was cancelled or expired while it waited for outputs, in the order of A95.

    `waiting` is the run in `requires_action`, as its stream sent it.
    """
    deadline = waiting["expires_at"]
    newest = session.get_page(ObjectKind.STEP, limit=1, order="desc", run_id=run["id"]).data
    events = [
        strip_event_search_content(build_step_event(step, deadline))
        for step in newest
        if step["status"] == run["status"]
    ]
    if run["status"] == RunStatus.CANCELLED:
        cancelling: RunObject = {**run, "status": "cancelling", "cancelled_at": None, "expires_at": deadline}
        events.insert(0, build_run_event(cancelling))
    return [*events, build_run_event(run)]


def _build_step_events(session: Session, run: RunObject, step: RunStepObject, *, last: bool) -> Sequence[Event]:
    """The events of a step that has ended, after those of its message if that still exists.

    A whole message has the events that SDK event handlers expect (A98): one delta with all of its content.
    """
    step_ended = strip_event_search_content(build_step_event(step, step["expires_at"]))
    details = step["step_details"]
    if details["type"] != "message_creation":
        return [step_ended]
    message = session.get(ObjectKind.MESSAGE, details["message_creation"]["message_id"])
    if message is None:
        return [step_ended]
    without_content: MessageObject = {**message, "content": []}
    empty = build_streamed_message(without_content, "in_progress")
    reason = _INCOMPLETE_REASONS.get(step["status"])
    if last and run["status"] == RunStatus.INCOMPLETE:
        reason = "max_tokens"
    status: MessageStatus = "completed" if reason is None else "incomplete"
    at = step["completed_at"] or step["cancelled_at"] or step["failed_at"] or message["created_at"]
    delta: MessageDeltaObject = {
        "id": message["id"],
        "object": "thread.message.delta",
        "delta": {"content": [_build_part_delta(index, part) for index, part in enumerate(message["content"])]},
    }
    return [
        Event("thread.message.created", empty),
        Event("thread.message.delta", delta),
        Event(f"thread.message.{status}", build_streamed_message(message, status, at=at, reason=reason)),
        step_ended,
    ]


def _build_part_delta(index: int, part: MessageContentPart) -> MessageContentPartDelta:
    """A whole content part as a delta: with numbered annotations (A87)."""
    # The casts are for spreads of unions; a literal would drop keys that the types do not list.
    if part["type"] != "text":
        return cast("MessageContentPartDelta", {"index": index, **part})
    annotations = [
        cast("AnnotationDelta", {"index": number, **annotation})
        for number, annotation in enumerate(part["text"]["annotations"])
    ]
    return cast("TextPartDelta", {"index": index, **part, "text": {**part["text"], "annotations": annotations}})
