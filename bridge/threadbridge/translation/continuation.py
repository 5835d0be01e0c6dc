"""Continuing from the state that the service keeps of a thread (§2, §9).

The service keeps a response with everything before it, or a conversation. A continuation point says which, and which
part of the thread it contains. A turn may continue from it only if its context is that part and what came after. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from threadbridge.ports import Entry, Wire
from threadbridge.settings import HistoryMode

#: First and last positions of neighbouring entries.
Spans: TypeAlias = tuple[tuple[int, int], ...]

#: Why a turn does not continue from the state that the service keeps.
NoContinuationReason: TypeAlias = Literal[
    "nothing_kept",
    "setting_changed",
    "service_changed",
    "model_changed",
    "too_old",
    "thread_changed",
    "truncated",
    "unanswered_calls",
    "turn_lost",
    "not_found",
    "refused",
    "locked",
    "changed_elsewhere",
    "unavailable",
    "container_replaced",
]

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class ContinuationRules:
    """Where thread state is kept, as configured. IDs are only valid at the service that `service` names."""

    mode: HistoryMode = "local"
    service: str = ""
    stored_response_days: int = 30


@dataclass(frozen=True, slots=True)
class ContinuationPoint:
    """The state that the service keeps of a thread under `upstream_id`, a response or a conversation."""

    mode: HistoryMode
    upstream_id: str
    service: str
    model: str
    #: The part of the thread it contains, and the number of edits by then.
    spans: Spans
    edits: int
    #: The last run, and its calls that were open then.
    run_id: str
    calls: tuple[str, ...]
    #: Unix seconds.
    at: int
    #: A turn has started to add to the conversation and has not ended: its contents are unknown.
    in_use: bool = False
    #: The ID of the last item of a conversation.
    last_item_id: str | None = None

    @property
    def last_position(self) -> int:
        """The newest position it contains."""
        return self.spans[-1][1]

    def to_row(self, thread_id: str) -> Wire:
        """The point as a stored row."""
        return {"id": thread_id, "created_at": self.at, **asdict(self)}

    @classmethod
    def from_row(cls, row: Wire) -> ContinuationPoint:
        """The point from a row of `to_row`."""
        known: dict[str, Any] = {name: value for name, value in row.items() if name in cls.__dataclass_fields__}
        known["spans"] = tuple((first, last) for first, last in row["spans"])
        known["calls"] = tuple(row["calls"])
        return cls(**known)


@dataclass(frozen=True, slots=True)
class RequiredContext:
    """The context that a turn needs, and the model it is for."""

    spans: Spans
    edits: int
    model: str
    at: int


@dataclass(frozen=True, slots=True)
class Continuation:
    """How one turn relates to the state that the service keeps of its thread."""

    #: Where the turn's state is kept; `local` where this turn cannot use the service.
    mode: HistoryMode
    required_context: RequiredContext
    #: The point it continues from: only later entries are sent. None: everything is sent.
    point: ContinuationPoint | None = None
    #: Why there is no point.
    reason: NoContinuationReason | None = None
    #: The conversation of the turn: that of the point, or a new one.
    conversation_id: str | None = None
    #: The conversation used so far, obsolete once another one replaces it.
    superseded_conversation_id: str | None = None

    @property
    def request_params(self) -> Wire:
        """The fields of the request that express it."""
        if self.mode == "chained":
            previous = {} if self.point is None else {"previous_response_id": self.point.upstream_id}
            return {"store": True, **previous}
        if self.mode == "conversation" and self.conversation_id is not None:
            return {"store": True, "conversation": self.conversation_id}  # some servers reject an object (S1)
        return {"store": False}

    @property
    def open_calls(self) -> frozenset[tuple[str | None, str]]:
        """Calls, by their run, that the service has already: their outputs may be sent alone."""
        if self.point is None:
            return frozenset()
        return frozenset((self.point.run_id, call_id) for call_id in self.point.calls)

    def fall_back(self, reason: NoContinuationReason, *, mode: HistoryMode | None = None) -> Continuation:
        """The same turn with its full history."""
        return replace(
            self,
            mode=mode or self.mode,
            point=None,
            reason=reason,
            conversation_id=None,
            superseded_conversation_id=None,
        )


#: A turn that sends its full history and needs no stored state.
LOCAL_STATE_REPORT: Wire = {"mode": "local", "continues": None, "reason": None}


def build_state_report(continuation: Continuation | None) -> Wire:
    """The state entry of the turn's report."""
    if continuation is None:
        return LOCAL_STATE_REPORT
    point = continuation.point
    continues = None if point is None else point.upstream_id
    return {"mode": continuation.mode, "continues": continues, "reason": continuation.reason}


def find_mismatch(
    point: ContinuationPoint | None, required_context: RequiredContext, rules: ContinuationRules
) -> NoContinuationReason | None:
    """Why the turn cannot continue from the point, as far as known without reading the thread; None: it can."""
    if point is None:
        return "nothing_kept"
    if point.mode != rules.mode:
        return "setting_changed"
    if point.service != rules.service:
        return "service_changed"
    if point.model != required_context.model:
        return "model_changed"  # a model cannot use the reasoning of another
    if point.in_use:
        return "turn_lost"
    if rules.mode == "chained" and required_context.at - point.at >= rules.stored_response_days * _DAY:
        return "too_old"
    if point.edits != required_context.edits:
        return "thread_changed"
    return None if _is_extended_by(point.spans, required_context.spans) else "truncated"


def _is_extended_by(known: Spans, wanted: Spans) -> bool:
    """Whether the wanted spans are the known ones, extended only at the end."""
    if not known or len(known) != len(wanted) or known[:-1] != wanted[:-1]:
        return False
    (first, last), (wanted_first, wanted_last) = known[-1], wanted[-1]
    return first == wanted_first and last <= wanted_last


def compute_later_spans(point: ContinuationPoint, wanted: Spans) -> Spans:
    """The part of the wanted spans that the point does not contain."""
    first, last = wanted[-1]
    return ((max(first, point.last_position + 1), last),) if last > point.last_position else ()


def has_unanswered_calls(point: ContinuationPoint, later: Sequence[Entry]) -> bool:
    """Whether the point ends with a call without a later output: the service would reject the continuation."""
    items = [entry.item for entry in later if entry.item is not None and entry.run_id == point.run_id]
    answered = {item["call_id"] for item in items if item["type"] == "function_call_output"}
    return not answered.issuperset(point.calls)
