"""Select the history of a run's next turn from the token counts in the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from threadbridge.context_window.report import TruncationMode, build_history_report, get_prompt_tokens
from threadbridge.context_window.tokens import (
    HistoryRules,
    TokenBudget,
    compute_context_budget,
    compute_prompt_budget,
    compute_run_budget,
    count_bytes,
    count_entry_tokens,
    count_instructions_and_tools,
    estimate_tokens,
)
from threadbridge.context_window.truncation import (
    CountedEntry,
    Selection,
    drop_compactions,
    select_auto,
    select_last_messages,
    select_newest_turn,
    select_since_compaction,
)
from threadbridge.ports import Entry, ObjectKind, Session, TimelinePosition, TokenCount, Wire
from threadbridge.translation.continuation import Spans
from threadbridge.translation.input_items import strip_to_model_input

#: Positions read per page: enough for a usual thread at first, doubled for longer ones up to the maximum.
_FIRST_PAGE_SIZE, _MAX_PAGE_SIZE = 32, 1024
#: A run writes about one message a turn; more than this many are not counted.
_MAX_RUN_MESSAGES = 1000


class TokenizerNotLoaded(Exception):
    """The transaction has to count tokens: load the tokenizer, off the event loop, and run it again."""


@dataclass(frozen=True, slots=True)
class SelectedHistory:
    """The history of a turn. `fits` is False if the token budget is too small for it (A80).

    If the upstream counts prompts, a history that does not fit is the shortest possible, and the upstream decides.
    `read_spans` reads the entries of the spans; `edits` counts the changes to the thread.
    """

    spans: Spans
    edits: int
    report: Wire
    fits: bool
    #: Tokens beyond which the upstream compacts its input; None: it does not.
    compact_at: int | None = None


def select_history(
    session: Session, rules: HistoryRules, run: Wire, *, prior_usage: Wire | None, first: bool
) -> SelectedHistory:
    """The history of the run's next turn. The work depends on what is selected, not on the length of the thread.

    If the upstream counts prompts, a history that does not fit by the count here is selected anyway, as short as
    possible. Raises TokenizerNotLoaded if the history has to be counted and the tokenizer is not loaded.
    """
    if rules.is_tokenizer_loaded():
        return _select_counted(session, rules, run, prior_usage=prior_usage, first=first)
    # A byte is a token at most: what fits by its bytes fits, and a short thread needs no tokenizer.
    by_bytes = _select_counted(
        session, replace(rules, count_tokens=count_bytes), run, prior_usage=prior_usage, first=first
    )
    if not by_bytes.fits or (by_bytes.report["strategy"] == "auto" and by_bytes.report["dropped"]["messages"]):
        raise TokenizerNotLoaded
    estimated = _select_counted(
        session, replace(rules, count_tokens=estimate_tokens), run, prior_usage=prior_usage, first=first
    )
    return replace(estimated, report={**estimated.report, "estimated": True})


def _select_counted(
    session: Session, rules: HistoryRules, run: Wire, *, prior_usage: Wire | None, first: bool
) -> SelectedHistory:
    mode = _truncation_mode(run, rules)
    if mode != "auto":
        # An exact history, or one that the upstream compacts, is bounded by the run's own budget, not by the window.
        budget = compute_run_budget(run, prior_usage)
        history = _select_within_budget(session, rules, run, mode, budget, first=first)
        if history.fits or mode == "last_messages":
            return _or_minimum(session, rules, run, mode, budget, history, first=first)
    budget = compute_prompt_budget(run, prior_usage, rules)
    history = _select_within_budget(session, rules, run, "auto", budget, first=first)
    return _or_minimum(session, rules, run, "auto", budget, history, first=first)


def select_shorter_history(
    session: Session, rules: HistoryRules, run: Wire, *, rejected_report: Wire, first: bool
) -> SelectedHistory | None:
    """A history with two thirds of the tokens in `rejected_report`, which the upstream found too long for the model.

    None if nothing can be dropped: only the newest turn is left, or the run asks for an exact number of messages.
    Raises TokenizerNotLoaded.
    """
    rejected_report = _count_estimated(session, rules, run, rejected_report, first=first)
    budget = TokenBudget(
        count_instructions_and_tools(run, rules.count_tokens) + rejected_report["sent"]["tokens"] * 2 // 3, "context"
    )
    return _select_less(session, rules, run, rejected_report, budget, first=first)


def select_history_by_count(
    session: Session, rules: HistoryRules, run: Wire, *, counted: int, counted_report: Wire, first: bool
) -> SelectedHistory | None:
    """A history shorter than that of `counted_report`, so that the prompt, as counted upstream, fits its budget.

    None if nothing can be dropped. Raises TokenizerNotLoaded.
    """
    counted_report = _count_estimated(session, rules, run, counted_report, first=first)
    budget = TokenBudget(**counted_report["budget"])
    scaled = budget._replace(tokens=get_prompt_tokens(counted_report) * budget.tokens // max(1, counted))
    history = _select_less(session, rules, run, counted_report, scaled, first=first)
    return history and replace(history, report={**history.report, "budget": counted_report["budget"]})


def _count_estimated(session: Session, rules: HistoryRules, run: Wire, report: Wire, *, first: bool) -> Wire:
    """The report of a whole history, with its tokens counted if they were estimated."""
    if not report["estimated"]:
        return report
    if not rules.is_tokenizer_loaded():
        raise TokenizerNotLoaded
    counted = _select_within_budget(session, rules, run, report["strategy"], None, first=first).report
    return {**counted, "budget": report["budget"]}


def _select_less(
    session: Session, rules: HistoryRules, run: Wire, previous_report: Wire, budget: TokenBudget, *, first: bool
) -> SelectedHistory | None:
    if previous_report["strategy"] == "last_messages":
        return None
    history = _select_within_budget(session, rules, run, "auto", budget, first=first)
    if not history.fits:
        history = _select_minimum(session, rules, run, "auto", budget, first=first)
    return history if history.spans and history.report["sent"]["tokens"] < previous_report["sent"]["tokens"] else None


def _select_within_budget(
    session: Session, rules: HistoryRules, run: Wire, mode: TruncationMode, budget: TokenBudget | None, *, first: bool
) -> SelectedHistory:
    token_limit = None if budget is None else budget.tokens - count_instructions_and_tools(run, rules.count_tokens)
    return _build_history(
        session, rules, run, mode, budget, _select_entries(session, rules, run, mode, token_limit, first=first)
    )


def _or_minimum(
    session: Session,
    rules: HistoryRules,
    run: Wire,
    mode: TruncationMode,
    budget: TokenBudget | None,
    history: SelectedHistory,
    *,
    first: bool,
) -> SelectedHistory:
    """The history; if it does not fit and the upstream counts prompts, the shortest possible instead."""
    if history.fits or rules.truncation.counting == "offline":
        return history
    minimum = _select_minimum(session, rules, run, mode, budget, first=first)
    return replace(minimum, report={**minimum.report, "fits": False}, fits=False)


def _select_minimum(
    session: Session, rules: HistoryRules, run: Wire, mode: TruncationMode, budget: TokenBudget | None, *, first: bool
) -> SelectedHistory:
    """The shortest possible history: the newest turn, or exactly the messages that the run asks for."""
    if mode == "last_messages":
        selection = _select_entries(session, rules, run, mode, None, first=first)
    else:
        lines = _TimelineReader(session, rules, run["thread_id"])
        selection = select_newest_turn(drop_compactions(lines.iter_newest_first()))
    return _build_history(session, rules, run, mode, budget, selection)


def _build_history(
    session: Session,
    rules: HistoryRules,
    run: Wire,
    mode: TruncationMode,
    budget: TokenBudget | None,
    selection: Selection,
) -> SelectedHistory:
    frame, size = count_instructions_and_tools(run, rules.count_tokens), session.get_thread_size(run["thread_id"])
    report = build_history_report(run, selection, size, frame=frame, budget=budget, mode=mode)
    if not selection.fits:
        return SelectedHistory((), size.edits, report, fits=False)
    spans = tuple((span.first, span.last) for span in selection.spans)
    compact_at = compute_context_budget(run, rules) if mode == "compact" else None
    return SelectedHistory(spans, size.edits, report, fits=True, compact_at=compact_at)


def read_spans(session: Session, thread_id: str, spans: Spans) -> Sequence[Entry]:
    """The entries of the spans as model input, oldest first."""
    return [
        strip_to_model_input(entry)
        for first, last in spans
        for entry in session.iterate_entries(thread_id, first=first, last=last)
    ]


def _truncation_mode(run: Wire, rules: HistoryRules) -> TruncationMode:
    if run["truncation_strategy"]["last_messages"] is not None:
        return "last_messages"
    return "compact" if rules.truncation.auto == "compact" else "auto"


def _select_entries(
    session: Session, rules: HistoryRules, run: Wire, mode: TruncationMode, token_limit: int | None, *, first: bool
) -> Selection:
    if token_limit is not None and token_limit < 0:
        return Selection(fits=False)
    lines = _TimelineReader(session, rules, run["thread_id"])
    match mode:
        case "last_messages":
            # The run's own messages are extra; otherwise its tool rounds would displace the question (D63).
            written = 0 if first else _count_run_messages(session, run)
            wanted: int = run["truncation_strategy"]["last_messages"]
            return select_last_messages(
                drop_compactions(lines.iter_newest_first()), messages=wanted + written, budget=token_limit
            )
        case "compact":
            return select_since_compaction(lines.iter_newest_first(), budget=token_limit)
        case "auto":
            return select_auto(
                drop_compactions(lines.iter_oldest_first()),
                drop_compactions(lines.iter_newest_first()),
                budget=token_limit,
            )


def _count_run_messages(session: Session, run: Wire) -> int:
    own = session.get_page(
        ObjectKind.MESSAGE, limit=_MAX_RUN_MESSAGES, order="desc", thread_id=run["thread_id"], run_id=run["id"]
    )
    return len(own.data)


class _TimelineReader:
    """Reads a thread's entries with their token counts lazily, and counts those that were never counted."""

    def __init__(self, session: Session, rules: HistoryRules, thread_id: str) -> None:
        self._session = session
        self._rules = rules
        self._thread_id = thread_id
        self._all_positions: Sequence[TimelinePosition] | None = None  # of a short thread, newest first
        self._token_counts: dict[int, TokenCount] = {}

    def iter_newest_first(self) -> Iterator[CountedEntry]:
        """The entries from the newest to the oldest."""
        for timeline_position in self._iter_positions(newest_first=True):
            yield self._count_entry(timeline_position)

    def iter_oldest_first(self) -> Iterator[CountedEntry]:
        """The entries from the oldest to the newest; a short thread that was read whole is not read again."""
        for timeline_position in (
            self._iter_positions(newest_first=False) if self._all_positions is None else reversed(self._all_positions)
        ):
            yield self._count_entry(timeline_position)

    def _iter_positions(self, *, newest_first: bool) -> Iterator[TimelinePosition]:
        after_position: int | None = None
        limit = _FIRST_PAGE_SIZE
        while True:
            positions = self._session.list_positions(
                self._thread_id, limit=limit, newest_first=newest_first, after_position=after_position
            )
            if newest_first and after_position is None and len(positions) < limit:
                self._all_positions = positions
            yield from positions
            if len(positions) < limit:
                return
            after_position, limit = positions[-1].position, min(_MAX_PAGE_SIZE, limit * 2)

    def _count_entry(self, timeline_position: TimelinePosition) -> CountedEntry:
        position, token_count = timeline_position
        token_count = token_count or self._token_counts.get(position)
        if token_count is None:
            (entry,) = self._session.iterate_entries(self._thread_id, first=position, last=position)
            token_count = self._token_counts[position] = count_entry_tokens(entry, self._rules.count_tokens)
            if self._rules.is_tokenizer_loaded():
                self._session.set_token_count(self._thread_id, position, token_count)
        return CountedEntry(position, token_count.role, token_count.tokens)
