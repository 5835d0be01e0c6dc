"""Select the history of a run's next turn from the token counts in the store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from threadbridge.api_types import RunObject, UsageObject
from threadbridge.context_window.report import HistoryReport, TruncationMode, build_history_report, get_prompt_tokens
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
from threadbridge.ports import Entry, ObjectKind, Session, TimelinePosition, TokenCount
from threadbridge.translation.continuation import Spans
from threadbridge.translation.input_items import strip_to_model_input

#: Positions read per page: enough for a usual thread at first, doubled for longer ones up to the maximum.
_FIRST_PAGE_SIZE, _MAX_PAGE_SIZE = 32, 1024
#: A run writes about one message a turn; more than this many are not counted.
_MAX_RUN_MESSAGES = 1000


class TokenizerNotLoaded(Exception):
    """The transaction has to count tokens: load the tokenizer, off the event loop, and run the transaction again."""


@dataclass(frozen=True, slots=True)
class SelectedHistory:
    """The history of a turn. `fits` is False if the token budget is too small for it (A80).

    If the upstream counts prompts, a history that does not fit is the shortest possible, and the upstream decides.
    `read_spans` reads the entries of the spans; `edits` counts the changes to the thread.
    """

    spans: Spans
    edits: int
    report: HistoryReport
    fits: bool
    #: Tokens beyond which the upstream compacts its input; None: it does not.
    compact_at: int | None = None


def select_history(
    session: Session, rules: HistoryRules, run: RunObject, *, prior_usage: UsageObject | None, first: bool
) -> SelectedHistory:
    """The history of the run's next turn. The work depends on what is selected, not on the length of the thread.

    If the upstream counts prompts, a history that does not fit by the count here is selected anyway, as short as
    possible. Raises TokenizerNotLoaded if the history has to be counted and the tokenizer is not loaded.
    """
    if rules.is_tokenizer_loaded():
        return _HistorySelector(session, rules, run, first=first).select(prior_usage)
    # A token stands for a byte at least: a history that fits by its bytes fits, so a short thread needs no tokenizer.
    byte_rules = replace(rules, count_tokens=count_bytes)
    by_bytes = _HistorySelector(session, byte_rules, run, first=first).select(prior_usage)
    if not by_bytes.fits or (by_bytes.report["strategy"] == "auto" and by_bytes.report["dropped"]["messages"]):
        raise TokenizerNotLoaded
    estimate_rules = replace(rules, count_tokens=estimate_tokens)
    estimated = _HistorySelector(session, estimate_rules, run, first=first).select(prior_usage)
    return replace(estimated, report={**estimated.report, "estimated": True})


def select_shorter_history(
    session: Session, rules: HistoryRules, run: RunObject, *, rejected_report: HistoryReport, first: bool
) -> SelectedHistory | None:
    """A history with two thirds of the tokens in `rejected_report`, which the upstream found too long for the model.

    None if nothing can be dropped: only the newest turn is left, or the run asks for an exact number of messages.
    Raises TokenizerNotLoaded.
    """
    selector = _HistorySelector(session, rules, run, first=first)
    rejected_report = selector.count_estimated(rejected_report)
    tokens = count_instructions_and_tools(run, rules.count_tokens) + rejected_report["sent"]["tokens"] * 2 // 3
    return selector.select_less(rejected_report, TokenBudget(tokens, "context"))


def select_history_by_count(
    session: Session, rules: HistoryRules, run: RunObject, *, counted: int, counted_report: HistoryReport, first: bool
) -> SelectedHistory | None:
    """A history shorter than that of `counted_report`, so that the prompt, as counted upstream, fits its budget.

    None if nothing can be dropped. Raises TokenizerNotLoaded.
    """
    selector = _HistorySelector(session, rules, run, first=first)
    counted_report = selector.count_estimated(counted_report)
    budget = counted_report["budget"]
    if budget is None:
        return None
    tokens = get_prompt_tokens(counted_report) * budget["tokens"] // max(1, counted)
    history = selector.select_less(counted_report, TokenBudget(tokens, budget["source"]))
    return history and replace(history, report={**history.report, "budget": budget})


def read_spans(session: Session, thread_id: str, spans: Spans) -> Sequence[Entry]:
    """The entries of the spans as model input, oldest first."""
    return [
        strip_to_model_input(entry)
        for first, last in spans
        for entry in session.iterate_entries(thread_id, first=first, last=last)
    ]


class _HistorySelector:
    """Selects histories of one turn of a run; `first` is its first turn."""

    def __init__(self, session: Session, rules: HistoryRules, run: RunObject, *, first: bool) -> None:
        self._session = session
        self._rules = rules
        self._run = run
        self._first = first
        self._frame = count_instructions_and_tools(run, rules.count_tokens)

    def select(self, prior_usage: UsageObject | None) -> SelectedHistory:
        """The history of the next turn, by the run's truncation strategy and the settings."""
        mode: TruncationMode = "compact" if self._rules.truncation.auto == "compact" else "auto"
        if self._run["truncation_strategy"].get("last_messages") is not None:
            mode = "last_messages"
        if mode != "auto":
            # An exact or compacted history is bounded by the run's own budget, not by the window.
            budget = compute_run_budget(self._run, prior_usage)
            history = self._select_within_budget(mode, budget)
            if history.fits or mode == "last_messages":
                return self._replace_unfit(history, mode, budget)
        budget = compute_prompt_budget(self._run, prior_usage, self._rules)
        return self._replace_unfit(self._select_within_budget("auto", budget), "auto", budget)

    def count_estimated(self, report: HistoryReport) -> HistoryReport:
        """The report of a whole history, with its tokens counted if they were estimated."""
        if not report["estimated"]:
            return report
        if not self._rules.is_tokenizer_loaded():
            raise TokenizerNotLoaded
        counted = self._select_within_budget(report["strategy"], None).report
        return {**counted, "budget": report["budget"]}

    def _select_within_budget(self, mode: TruncationMode, budget: TokenBudget | None) -> SelectedHistory:
        """As much as the budget allows; without a budget all that the mode asks for."""
        token_limit = None if budget is None else budget.tokens - self._frame
        return self._build_history(mode, budget, self._select_entries(mode, token_limit))

    def select_less(self, previous_report: HistoryReport, budget: TokenBudget) -> SelectedHistory | None:
        """A history within the budget, or else the newest turn; None if it is not shorter than the previous one."""
        if previous_report["strategy"] == "last_messages":
            return None
        history = self._select_within_budget("auto", budget)
        if not history.fits:
            history = self._select_minimum("auto", budget)
        is_shorter = history.report["sent"]["tokens"] < previous_report["sent"]["tokens"]
        return history if history.spans and is_shorter else None

    def _replace_unfit(
        self, history: SelectedHistory, mode: TruncationMode, budget: TokenBudget | None
    ) -> SelectedHistory:
        """The history; if it does not fit and the upstream counts prompts, the shortest possible instead."""
        if history.fits or self._rules.truncation.counting == "offline":
            return history
        minimum = self._select_minimum(mode, budget)
        return replace(minimum, report={**minimum.report, "fits": False}, fits=False)

    def _select_minimum(self, mode: TruncationMode, budget: TokenBudget | None) -> SelectedHistory:
        """The shortest possible history: the newest turn, or exactly the messages that the run asks for."""
        if mode == "last_messages":
            selection = self._select_entries(mode, None)
        else:
            lines = _TimelineReader(self._session, self._rules, self._run["thread_id"])
            selection = select_newest_turn(drop_compactions(lines.iter_newest_first()))
        return self._build_history(mode, budget, selection)

    def _select_entries(self, mode: TruncationMode, token_limit: int | None) -> Selection:
        if token_limit is not None and token_limit < 0:
            return Selection(fits=False)
        lines = _TimelineReader(self._session, self._rules, self._run["thread_id"])
        if mode == "compact":
            return select_since_compaction(lines.iter_newest_first(), budget=token_limit)
        newest = drop_compactions(lines.iter_newest_first())
        if mode == "auto":
            return select_auto(drop_compactions(lines.iter_oldest_first()), newest, budget=token_limit)
        messages = self._run["truncation_strategy"].get("last_messages") or 0
        if not self._first:
            # The run's own messages are extra; otherwise its tool rounds would displace the question (D63).
            own = self._session.get_page(
                ObjectKind.MESSAGE,
                limit=_MAX_RUN_MESSAGES,
                order="desc",
                thread_id=self._run["thread_id"],
                run_id=self._run["id"],
            )
            messages += len(own.data)
        return select_last_messages(newest, messages=messages, budget=token_limit)

    def _build_history(self, mode: TruncationMode, budget: TokenBudget | None, selection: Selection) -> SelectedHistory:
        size = self._session.get_thread_size(self._run["thread_id"])
        report = build_history_report(self._run, selection, size, frame=self._frame, budget=budget, mode=mode)
        if not selection.fits:
            return SelectedHistory((), size.edits, report, fits=False)
        spans = tuple((span.first, span.last) for span in selection.spans)
        compact_at = compute_context_budget(self._run, self._rules) if mode == "compact" else None
        return SelectedHistory(spans, size.edits, report, fits=True, compact_at=compact_at)


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
        return map(self._count_entry, self._iter_positions(newest_first=True))

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
