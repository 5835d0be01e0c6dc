"""The report of a turn's request, stored with the turn: what was sent, what was dropped, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from threadbridge.context_window.tokens import TokenBudget
from threadbridge.context_window.truncation import Selection
from threadbridge.ports import Entry, ThreadSize, Turn, Wire
from threadbridge.translation.continuation import Continuation, build_state_report
from threadbridge.translation.models.resolution import ResolvedModel

#: How a long thread is truncated.
TruncationMode: TypeAlias = Literal["auto", "last_messages", "compact"]


def build_history_report(
    run: Wire, selection: Selection, size: ThreadSize, *, frame: int, budget: TokenBudget | None, mode: TruncationMode
) -> Wire:
    """The part of the report on history: numbers only, never content.

    `sent` and `dropped` count messages of the thread and tokens as counted here; the reason of a drop is
    `truncation_strategy`, `context`, `max_prompt_tokens` or `compaction`. Entries never counted are not in `dropped`.
    """
    sent = selection if selection.fits else Selection()
    dropped = size.messages - sent.messages
    return {
        "strategy": mode,
        "truncation_strategy": run["truncation_strategy"],
        "budget": None if budget is None else {"tokens": budget.tokens, "source": budget.source},
        "fits": selection.fits,
        # Whether the tokens are estimates, as the tokenizer is not loaded.
        "estimated": False,
        "sent": {
            "messages": sent.messages,
            "entries": sent.entries,
            "tokens": sent.tokens,
            "instructions_and_tools_tokens": frame,
        },
        "dropped": {
            "messages": dropped,
            "tokens": max(0, size.tokens - sent.tokens),
            "reason": _find_drop_reason(selection, budget, mode) if dropped else None,
        },
        "compacted": None,
        "counted": None,
        # Two if the middle of the thread was dropped.
        "spans": [{"messages": span.messages, "tokens": span.tokens} for span in sent.spans],
    }


def mark_not_sent(history: Wire) -> Wire:
    """The report of a selected history that the upstream found not to fit or could not count."""
    sent, dropped = history["sent"], history["dropped"]
    return {
        **history,
        "fits": False,
        "sent": {**sent, "messages": 0, "entries": 0, "tokens": 0},
        "dropped": {
            "messages": dropped["messages"] + sent["messages"],
            "tokens": dropped["tokens"] + sent["tokens"],
            "reason": history["budget"]["source"],
        },
        "spans": [],
    }


def report_compaction(turn: Turn, entries: Sequence[Entry]) -> Turn:
    """The turn, with the part of the thread that the upstream compacted in its report."""
    if turn.report is None or not any(
        entry.item is not None and entry.item["type"] == "compaction" for entry in entries
    ):
        return turn
    history = turn.report["history"]
    compacted = {name: history["sent"][name] for name in ("messages", "tokens")}
    return replace(turn, report={**turn.report, "history": {**history, "compacted": compacted}})


def get_prompt_tokens(report: Wire) -> int:
    """The tokens of a turn's prompt, as counted here before it is sent."""
    sent = report["sent"]
    tokens: int = sent["tokens"] + sent["instructions_and_tools_tokens"]
    return tokens


def _find_drop_reason(selection: Selection, budget: TokenBudget | None, mode: TruncationMode) -> str | None:
    if selection.fits and mode != "auto":
        return {"last_messages": "truncation_strategy", "compact": "compaction"}[mode]
    return None if budget is None else budget.source


def format_overflow_warning(before: Wire, after: Wire, run: Wire) -> str:
    """The warning about a prompt that fitted by the count here but not upstream, with the setting that helps."""
    return (
        f"The service found a prompt of about {get_prompt_tokens(before)} tokens too long for the model; about "
        f'{get_prompt_tokens(after)} were sent instead. Set models."{run["model"]}".context_tokens to what it takes.'
    )


def format_no_compaction_warning(model: str) -> str:
    """The warning about an upstream that rejects compaction, with the setting that helps."""
    return f"The service makes no compactions for the model {model}: set truncation.auto = 'drop'."


def build_turn_report(
    history: Wire,
    run: Wire,
    model: ResolvedModel,
    warnings: Sequence[str],
    continuation: Continuation | None = None,
) -> Wire:
    """The whole report of a turn whose request was sent: history, requested and actual model, warnings, and whether
    it continued from upstream state.
    """
    return {
        "history": history,
        "model": {"requested": run["model"], "asked": model.model, "reasoning_effort": model.reasoning_effort},
        "warnings": list(warnings),
        "state": build_state_report(continuation),
    }
