"""The report of a turn's request, stored with the turn: what was sent, what was dropped, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias, TypedDict

from threadbridge.api_types import JsonMapping, RunObject, TruncationStrategy
from threadbridge.context_window.tokens import BudgetSource, TokenBudget
from threadbridge.context_window.truncation import Selection
from threadbridge.ports import Entry, ThreadSize, Turn
from threadbridge.translation.continuation import Continuation, StateReport, build_state_report
from threadbridge.translation.models.resolution import ResolvedModel

#: How a long thread is truncated.
TruncationMode: TypeAlias = Literal["auto", "last_messages", "compact"]


class BudgetReport(TypedDict):
    """The limit of the prompt in tokens, and its source."""

    tokens: int
    source: BudgetSource


class SentReport(TypedDict):
    """The part of the thread that was sent. `tokens` are those of the entries, as counted here."""

    messages: int
    entries: int
    tokens: int
    instructions_and_tools_tokens: int


class DroppedReport(TypedDict):
    """The part of the thread that was not sent; entries that were never counted are not in `tokens`."""

    messages: int
    tokens: int
    reason: Literal["truncation_strategy", "context", "max_prompt_tokens", "compaction"] | None


class MessagesAndTokens(TypedDict):
    """The size of a part of the thread."""

    messages: int
    tokens: int


class HistoryReport(TypedDict):
    """The history of a request: numbers only, never content."""

    strategy: TruncationMode
    truncation_strategy: TruncationStrategy
    budget: BudgetReport | None
    fits: bool
    #: Whether the tokens are estimates, because the tokenizer was not loaded.
    estimated: bool
    sent: SentReport
    dropped: DroppedReport
    #: The part that the upstream compacted.
    compacted: MessagesAndTokens | None
    #: The tokens of the prompt as counted upstream, where they were.
    counted: int | None
    #: Two if the middle of the thread was dropped.
    spans: list[MessagesAndTokens]


class ModelReport(TypedDict):
    """The model that the run names, and the model and the effort that were requested."""

    requested: str
    asked: str
    reasoning_effort: str | None


class TurnReport(TypedDict):
    """The report of a turn whose request was sent. Its calls of hosted tools and their fees are added later."""

    history: HistoryReport
    model: ModelReport
    warnings: list[str]
    state: StateReport


def build_history_report(
    run: RunObject,
    selection: Selection,
    size: ThreadSize,
    *,
    frame: int,
    budget: TokenBudget | None,
    mode: TruncationMode,
) -> HistoryReport:
    """The part of the report on history. `frame` is the number of tokens of instructions and tools."""
    sent = selection if selection.fits else Selection()
    dropped: DroppedReport = {
        "messages": size.messages - sent.messages,
        "tokens": max(0, size.tokens - sent.tokens),
        "reason": None if budget is None else budget.source,
    }
    if not dropped["messages"]:
        dropped["reason"] = None
    elif selection.fits and mode == "last_messages":
        dropped["reason"] = "truncation_strategy"
    elif selection.fits and mode == "compact":
        dropped["reason"] = "compaction"
    return {
        "strategy": mode,
        "truncation_strategy": run["truncation_strategy"],
        "budget": None if budget is None else {"tokens": budget.tokens, "source": budget.source},
        "fits": selection.fits,
        "estimated": False,
        "sent": {
            "messages": sent.messages,
            "entries": sent.entries,
            "tokens": sent.tokens,
            "instructions_and_tools_tokens": frame,
        },
        "dropped": dropped,
        "compacted": None,
        "counted": None,
        "spans": [{"messages": span.messages, "tokens": span.tokens} for span in sent.spans],
    }


def mark_not_sent(history: HistoryReport) -> HistoryReport:
    """The report of a selected history that the upstream found too long, or whose tokens it could not count."""
    sent, dropped, budget = history["sent"], history["dropped"], history["budget"]
    return {
        **history,
        "fits": False,
        "sent": {**sent, "messages": 0, "entries": 0, "tokens": 0},
        "dropped": {
            "messages": dropped["messages"] + sent["messages"],
            "tokens": dropped["tokens"] + sent["tokens"],
            "reason": None if budget is None else budget["source"],
        },
        "spans": [],
    }


def report_compaction(turn: Turn, entries: Sequence[Entry]) -> Turn:
    """The turn, with the part of the thread that the upstream compacted in its report."""
    is_compacted = any(entry.item is not None and entry.item["type"] == "compaction" for entry in entries)
    if turn.report is None or not is_compacted:
        return turn
    history: HistoryReport = turn.report["history"]
    compacted: MessagesAndTokens = {"messages": history["sent"]["messages"], "tokens": history["sent"]["tokens"]}
    report: JsonMapping = {**turn.report, "history": {**history, "compacted": compacted}}
    return replace(turn, report=report)


def get_prompt_tokens(report: HistoryReport) -> int:
    """The tokens of a turn's prompt, as counted here before it is sent."""
    return report["sent"]["tokens"] + report["sent"]["instructions_and_tools_tokens"]


def format_overflow_warning(before: HistoryReport, after: HistoryReport, run: RunObject) -> str:
    """The warning about a prompt that fitted by the count here but not upstream, with the setting that helps."""
    return (
        f"The upstream service rejected a prompt of about {get_prompt_tokens(before)} tokens as too long for the "
        f"model, so about {get_prompt_tokens(after)} tokens were sent instead. Set "
        f'models."{run["model"]}".context_tokens to the number of tokens that the model accepts.'
    )


def format_no_compaction_warning(model: str) -> str:
    """The warning about an upstream that rejects compaction, with the setting that helps."""
    return f"The upstream service does not support compaction for the model {model}. Set truncation.auto = 'drop'."


def build_turn_report(
    history: HistoryReport,
    run: RunObject,
    model: ResolvedModel,
    warnings: Sequence[str],
    continuation: Continuation | None = None,
) -> TurnReport:
    """The whole report of a turn whose request was sent: history, requested and actual model, warnings, and whether
    it continued from upstream state.
    """
    return {
        "history": history,
        "model": {"requested": run["model"], "asked": model.model, "reasoning_effort": model.reasoning_effort},
        "warnings": list(warnings),
        "state": build_state_report(continuation),
    }
