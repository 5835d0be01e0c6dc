"""Choosing the history of a run's next turn: the store's weights go in, entries and a report come out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from threadbridge.context_window.report import Mode, history_report, prompt_tokens
from threadbridge.context_window.token_budget import Budget, HistoryRules, context_budget, own_budget, prompt_budget
from threadbridge.context_window.token_counts import frame_of, weight_of
from threadbridge.context_window.truncation import (
    Selection,
    Weighed,
    select_auto,
    select_last,
    select_newest_turn,
    select_since_compaction,
    uncompacted,
)
from threadbridge.context_window.upstream_continuation import Spans
from threadbridge.ports import Entry, Kind, Place, Session, Weight, Wire
from threadbridge.translation.input_items import as_told

#: Lines read at once: enough for a usual thread at the first look, and never many more than are used.
_FIRST_PAGE, _LARGEST_PAGE = 32, 1024
#: A run writes one message a turn or so; more than this many are not counted.
_MESSAGES_OF_A_RUN = 1000


@dataclass(frozen=True, slots=True)
class History:
    """What a turn shows the model. Does not fit: nothing, for the budget is too small (A80).

    Where the service is asked how long a prompt is, it is the least there is, and the service says whether that fits.
    `shown` reads the entries of the spans; `edits` says how often the thread had been changed.
    """

    spans: Spans
    edits: int
    report: Wire
    fits: bool
    #: Tokens beyond which the service is to compact what it is sent; None: it is not.
    compact_at: int | None = None


def chosen(session: Session, rules: HistoryRules, run: Wire, *, prior_usage: Wire | None, first: bool) -> History:
    """The history of the run's next turn. Costs what it chooses, however long the thread is.

    Where the service is to be asked how long a prompt is, one that does not fit as it is counted here is chosen all the
    same, as short as it can be.
    """
    mode = _mode(run, rules)
    if mode != "auto":
        # What is exact, or shortened by the service, is not bounded by the window; only a budget of the run's own is.
        budget = own_budget(run, prior_usage)
        history = _history(session, rules, run, mode, budget, first=first)
        if history.fits or mode == "last_messages":
            return _or_least(session, rules, run, mode, budget, history, first=first)
    budget = prompt_budget(run, prior_usage, rules)
    history = _history(session, rules, run, "auto", budget, first=first)
    return _or_least(session, rules, run, "auto", budget, history, first=first)


def chosen_shorter(session: Session, rules: HistoryRules, run: Wire, *, refused: Wire, first: bool) -> History | None:
    """A third less than the history of the report `refused`, which the service found too long for the model.

    None where nothing can be left out: the newest turn is all there is, or the run wants so many messages exactly.
    """
    budget = Budget(frame_of(run, rules.count) + refused["sent"]["tokens"] * 2 // 3, "context")
    return _less(session, rules, run, refused, budget, first=first)


def chosen_within(
    session: Session, rules: HistoryRules, run: Wire, *, counted: int, told: Wire, first: bool
) -> History | None:
    """Less than the history of the report `told`, whose prompt the service counted, so that its budget holds.

    None where nothing can be left out.
    """
    budget = Budget(**told["budget"])
    scaled = budget._replace(tokens=prompt_tokens(told) * budget.tokens // max(1, counted))
    history = _less(session, rules, run, told, scaled, first=first)
    return history and replace(history, report={**history.report, "budget": told["budget"]})


def _less(
    session: Session, rules: HistoryRules, run: Wire, told: Wire, budget: Budget, *, first: bool
) -> History | None:
    if told["strategy"] == "last_messages":
        return None
    history = _history(session, rules, run, "auto", budget, first=first)
    if not history.fits:
        history = _least(session, rules, run, "auto", budget, first=first)
    return history if history.spans and history.report["sent"]["tokens"] < told["sent"]["tokens"] else None


def _history(
    session: Session, rules: HistoryRules, run: Wire, mode: Mode, budget: Budget | None, *, first: bool
) -> History:
    left = None if budget is None else budget.tokens - frame_of(run, rules.count)
    return _of(session, rules, run, mode, budget, _selection(session, rules, run, mode, left, first=first))


def _or_least(
    session: Session, rules: HistoryRules, run: Wire, mode: Mode, budget: Budget | None, found: History, *, first: bool
) -> History:
    """What was found; in place of what does not fit the least there is, where the service is asked to count it."""
    if found.fits or rules.truncation.counting == "offline":
        return found
    least = _least(session, rules, run, mode, budget, first=first)
    return replace(least, report={**least.report, "fits": False}, fits=False)


def _least(
    session: Session, rules: HistoryRules, run: Wire, mode: Mode, budget: Budget | None, *, first: bool
) -> History:
    """As little as can be sent: the newest turn, or exactly the messages that the run wants."""
    if mode == "last_messages":
        selection = _selection(session, rules, run, mode, None, first=first)
    else:
        lines = _Lines(session, rules, run["thread_id"])
        selection = select_newest_turn(uncompacted(lines.newest()))
    return _of(session, rules, run, mode, budget, selection)


def _of(
    session: Session, rules: HistoryRules, run: Wire, mode: Mode, budget: Budget | None, selection: Selection
) -> History:
    frame, size = frame_of(run, rules.count), session.size(run["thread_id"])
    report = history_report(run, selection, size, frame=frame, budget=budget, mode=mode)
    if not selection.fits:
        return History((), size.edits, report, fits=False)
    spans = tuple((span.first, span.last) for span in selection.spans)
    compact_at = context_budget(run, rules) if mode == "compact" else None
    return History(spans, size.edits, report, fits=True, compact_at=compact_at)


def shown(session: Session, thread_id: str, spans: Spans) -> Sequence[Entry]:
    """The entries of the spans as the model is told them, oldest first."""
    return [as_told(entry) for first, last in spans for entry in session.span(thread_id, first=first, last=last)]


def _mode(run: Wire, rules: HistoryRules) -> Mode:
    if run["truncation_strategy"]["last_messages"] is not None:
        return "last_messages"
    return "compact" if rules.truncation.auto == "compact" else "auto"


def _selection(
    session: Session, rules: HistoryRules, run: Wire, mode: Mode, left: int | None, *, first: bool
) -> Selection:
    if left is not None and left < 0:
        return Selection(fits=False)
    lines = _Lines(session, rules, run["thread_id"])
    match mode:
        case "last_messages":
            # What the run itself wrote comes on top, or its own tool rounds would push the question out (D63).
            written = 0 if first else _messages_of(session, run)
            wanted: int = run["truncation_strategy"]["last_messages"]
            return select_last(uncompacted(lines.newest()), messages=wanted + written, budget=left)
        case "compact":
            return select_since_compaction(lines.newest(), budget=left)
        case "auto":
            return select_auto(uncompacted(lines.oldest()), uncompacted(lines.newest()), budget=left)


def _messages_of(session: Session, run: Wire) -> int:
    own = session.page(
        Kind.MESSAGE, limit=_MESSAGES_OF_A_RUN, order="desc", thread_id=run["thread_id"], run_id=run["id"]
    )
    return len(own.data)


class _Lines:
    """A thread's lines with their weights, read as they are asked for; what was never counted is counted now."""

    def __init__(self, session: Session, rules: HistoryRules, thread_id: str) -> None:
        self._session = session
        self._rules = rules
        self._thread_id = thread_id
        self._all: Sequence[Place] | None = None  # of a short thread, newest first
        self._counted: dict[int, Weight] = {}

    def newest(self) -> Iterator[Weighed]:
        """From the end on."""
        for place in self._places(newest_first=True):
            yield self._weighed(place)

    def oldest(self) -> Iterator[Weighed]:
        """From the beginning on; of a thread that was seen whole, without another look."""
        for place in self._places(newest_first=False) if self._all is None else reversed(self._all):
            yield self._weighed(place)

    def _places(self, *, newest_first: bool) -> Iterator[Place]:
        beyond: int | None = None
        limit = _FIRST_PAGE
        while True:
            places = self._session.places(self._thread_id, limit=limit, newest_first=newest_first, beyond=beyond)
            if newest_first and beyond is None and len(places) < limit:
                self._all = places
            yield from places
            if len(places) < limit:
                return
            beyond, limit = places[-1].position, min(_LARGEST_PAGE, limit * 2)

    def _weighed(self, place: Place) -> Weighed:
        position, weight = place
        weight = weight or self._counted.get(position)
        if weight is None:
            (entry,) = self._session.span(self._thread_id, first=position, last=position)
            weight = self._counted[position] = weight_of(entry, self._rules.count)
            self._session.weigh(self._thread_id, position, weight)
        return Weighed(position, weight.sort, weight.tokens)
