"""Continuing from the state that the service stores of a thread (§2, §9).

The service stores a response with everything before it, or a conversation. A continuation point names one of them and
the part of the thread it contains. A turn may continue from it only if its context is that part and what came after.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, NotRequired, TypeAlias, TypedDict

from threadbridge.api_types import JsonMapping, JsonObject
from threadbridge.ports import Entry
from threadbridge.settings import HistoryMode

#: First and last positions of neighbouring entries.
Spans: TypeAlias = tuple[tuple[int, int], ...]

#: Why a turn does not continue from the state that the service stores.
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


class StateParameters(TypedDict):
    """The parameters of a request that say from which state it continues, and whether the service stores its own."""

    store: bool
    previous_response_id: NotRequired[str]
    conversation: NotRequired[str]


class StateReport(TypedDict):
    """Where the state of a turn is stored, and from which response or conversation the turn continued, or why not."""

    mode: HistoryMode
    continues: str | None
    reason: NoContinuationReason | None


@dataclass(frozen=True, slots=True)
class ContinuationRules:
    """Where thread state is stored, as configured. IDs are only valid at the service with the name `service`."""

    mode: HistoryMode = "local"
    service: str = ""
    stored_response_days: int = 30


@dataclass(frozen=True, slots=True)
class ContinuationPoint:
    """The state that the service stores of a thread under `upstream_id`, a response or a conversation."""

    mode: HistoryMode
    upstream_id: str
    service: str
    model: str
    #: The part of the thread it contains, and the number of edits by then.
    spans: Spans
    edits: int
    #: The last run, and its function calls without outputs at that time.
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

    def to_row(self, thread_id: str) -> JsonObject:
        """The point as a stored row."""
        return {"id": thread_id, "created_at": self.at, **asdict(self)}

    @classmethod
    def from_row(cls, row: JsonMapping) -> ContinuationPoint:
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
    """How one turn relates to the state that the service stores of its thread."""

    #: Where the turn's state is stored; `local` where this turn cannot use the service.
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
    #: The point that the turn does without for a try: it stays if the service rejects the full history as well.
    kept_point: ContinuationPoint | None = None

    @property
    def request_params(self) -> StateParameters:
        """The parameters of the request that express the continuation."""
        if self.mode == "chained" and self.point is not None:
            return {"store": True, "previous_response_id": self.point.upstream_id}
        if self.mode == "chained":
            return {"store": True}
        if self.mode == "conversation" and self.conversation_id is not None:
            return {"store": True, "conversation": self.conversation_id}  # some servers reject an object (S1)
        return {"store": False}

    @property
    def open_calls(self) -> frozenset[tuple[str | None, str]]:
        """Calls, each with its run, that the service has already: their outputs may be sent alone."""
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
            kept_point=None,
        )

    def suspend(self, reason: NoContinuationReason) -> Continuation:
        """The same turn with its full history for a try, after which the point may still be of use."""
        return replace(
            self.fall_back(reason),
            superseded_conversation_id=self.superseded_conversation_id,
            kept_point=self.point,
        )


def build_state_report(continuation: Continuation | None) -> StateReport:
    """The state entry of a turn's report. Without a continuation the turn sends its full history."""
    if continuation is None:
        return {"mode": "local", "continues": None, "reason": None}
    point = continuation.point
    continues = None if point is None else point.upstream_id
    return {"mode": continuation.mode, "continues": continues, "reason": continuation.reason}


def find_mismatch(
    point: ContinuationPoint | None, required_context: RequiredContext, rules: ContinuationRules
) -> NoContinuationReason | None:
    """Why the turn cannot continue from the point, as far as known without reading the thread; None if it can."""
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
    known, wanted = point.spans, required_context.spans
    # The required spans must be the known ones, extended at the end at most.
    if not known or len(known) != len(wanted) or known[:-1] != wanted[:-1]:
        return "truncated"
    (first, last), (wanted_first, wanted_last) = known[-1], wanted[-1]
    return None if first == wanted_first and last <= wanted_last else "truncated"


def compute_later_spans(point: ContinuationPoint, wanted: Spans) -> Spans:
    """The part of the required spans that the point does not contain."""
    first, last = wanted[-1]
    return ((max(first, point.last_position + 1), last),) if last > point.last_position else ()


def has_unanswered_calls(point: ContinuationPoint, later: Sequence[Entry]) -> bool:
    """Whether the point ends with a call without a later output: the service would reject the continuation."""
    answered: set[str] = set()
    for entry in later:
        item = entry.item
        if item is not None and item["type"] == "function_call_output" and entry.run_id == point.run_id:
            answered.add(item["call_id"])
    return not answered.issuperset(point.calls)
