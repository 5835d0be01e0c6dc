"""Going on from what the service behind keeps of a thread, where that is what the model is to be shown (§2, §9).

The service keeps a response with all that led to it, or a conversation. An anchor says which, and of which part of the
thread it knows. A turn may go on from it only where the model is shown just that part and what came after. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal, TypeAlias

from threadbridge.ports import Entry, Wire
from threadbridge.settings import HistoryMode

#: First and last positions of neighbouring entries.
Spans: TypeAlias = tuple[tuple[int, int], ...]

#: Why a turn does not go on from what the service keeps.
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
    """Who is to keep the threads, as configured. `service` names the one behind; its ids lead nowhere elsewhere."""

    mode: HistoryMode = "local"
    service: str = ""
    stored_response_days: int = 30


@dataclass(frozen=True, slots=True)
class ContinuationPoint:
    """What the service keeps of a thread: under `upstream_id`, the id of a response or of a conversation."""

    mode: HistoryMode
    upstream_id: str
    service: str
    model: str
    #: What it knows of the thread, and how often that had been changed by then.
    spans: Spans
    edits: int
    #: The run that spoke last, and its calls that were open then.
    run_id: str
    calls: tuple[str, ...]
    #: Unix seconds.
    at: int
    #: A turn has begun to tell the conversation more. Set where none has ended since: what it knows is not known.
    in_use: bool = False
    #: The item that a conversation ended with, by the service's name for it.
    last_item_id: str | None = None

    @property
    def last_position(self) -> int:
        """The newest position it knows."""
        return self.spans[-1][1]

    def to_row(self, thread_id: str) -> Wire:
        """The anchor as it is stored."""
        return {"id": thread_id, "created_at": self.at, **asdict(self)}

    @classmethod
    def from_row(cls, row: Wire) -> ContinuationPoint:
        """What `to_row` wrote."""
        known: dict[str, Any] = {name: value for name, value in row.items() if name in cls.__dataclass_fields__}
        known["spans"] = tuple((first, last) for first, last in row["spans"])
        known["calls"] = tuple(row["calls"])
        return cls(**known)


@dataclass(frozen=True, slots=True)
class RequiredContext:
    """What a turn wants the model to know, and who will be asked."""

    spans: Spans
    edits: int
    model: str
    at: int


@dataclass(frozen=True, slots=True)
class Continuation:
    """How one turn stands to what the service keeps of its thread."""

    #: Who is to keep what the turn says; `local` where this one turn has to do without the service.
    mode: HistoryMode
    required_context: RequiredContext
    #: What it goes on from: the model is sent only what came later. None: everything.
    point: ContinuationPoint | None = None
    #: Why there is no anchor.
    reason: NoContinuationReason | None = None
    #: The conversation that the turn belongs to: the anchor's, or a new one.
    conversation_id: str | None = None
    #: One that was gone on from so far, and is of no more use once another has taken its place.
    superseded_conversation_id: str | None = None

    @property
    def request_params(self) -> Wire:
        """What the request says of it."""
        if self.mode == "chained":
            previous = {} if self.point is None else {"previous_response_id": self.point.upstream_id}
            return {"store": True, **previous}
        if self.mode == "conversation" and self.conversation_id is not None:
            return {"store": True, "conversation": self.conversation_id}  # an object is refused by some (S1)
        return {"store": False}

    @property
    def open_calls(self) -> frozenset[tuple[str | None, str]]:
        """Calls, by their run, that the service knows already: their outputs may be sent alone."""
        if self.point is None:
            return frozenset()
        return frozenset((self.point.run_id, call_id) for call_id in self.point.calls)

    def fall_back(self, reason: NoContinuationReason, *, mode: HistoryMode | None = None) -> Continuation:
        """The same turn, sent everything."""
        return replace(
            self,
            mode=mode or self.mode,
            point=None,
            reason=reason,
            conversation_id=None,
            superseded_conversation_id=None,
        )


#: A turn that sends everything, and of which the service need keep nothing.
LOCAL_STATE_REPORT: Wire = {"mode": "local", "continues": None, "reason": None}


def build_state_report(continuation: Continuation | None) -> Wire:
    """How the turn stood to what the service keeps, for its report."""
    if continuation is None:
        return LOCAL_STATE_REPORT
    point = continuation.point
    continues = None if point is None else point.upstream_id
    return {"mode": continuation.mode, "continues": continues, "reason": continuation.reason}


def find_mismatch(
    point: ContinuationPoint | None, required_context: RequiredContext, rules: ContinuationRules
) -> NoContinuationReason | None:
    """Why the turn cannot go on from the anchor, as far as that is known without reading the thread; None: it may."""
    if point is None:
        return "nothing_kept"
    if point.mode != rules.mode:
        return "setting_changed"
    if point.service != rules.service:
        return "service_changed"
    if point.model != required_context.model:
        return "model_changed"  # what one has reasoned is nothing to another
    if point.in_use:
        return "turn_lost"
    if rules.mode == "chained" and required_context.at - point.at >= rules.stored_response_days * _DAY:
        return "too_old"
    if point.edits != required_context.edits:
        return "thread_changed"
    return None if _is_extended_by(point.spans, required_context.spans) else "truncated"


def _is_extended_by(known: Spans, wanted: Spans) -> bool:
    """Whether what is wanted is what is known, and more at the end."""
    if not known or len(known) != len(wanted) or known[:-1] != wanted[:-1]:
        return False
    (first, last), (wanted_first, wanted_last) = known[-1], wanted[-1]
    return first == wanted_first and last <= wanted_last


def compute_later_spans(point: ContinuationPoint, wanted: Spans) -> Spans:
    """What the anchor does not know of the spans it leads to."""
    first, last = wanted[-1]
    return ((max(first, point.last_position + 1), last),) if last > point.last_position else ()


def has_unanswered_calls(point: ContinuationPoint, later: Sequence[Entry]) -> bool:
    """Whether the anchor ends with a call that nothing later answers: the service would refuse to go on."""
    answered = {
        entry.item["call_id"]
        for entry in later
        if entry.item is not None and entry.item.get("type") == "function_call_output" and entry.run_id == point.run_id
    }
    return not answered.issuperset(point.calls)
