"""What a turn's request was made of, kept with the turn for whoever asks what a run sent and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeAlias

from threadbridge.context_window.token_budget import Budget
from threadbridge.context_window.truncation import Selection
from threadbridge.context_window.upstream_continuation import Continuation, told_state
from threadbridge.ports import Entry, Size, Turn, Wire
from threadbridge.translation.models.resolution import ResolvedModel

#: What was done about a long thread.
Mode: TypeAlias = Literal["auto", "last_messages", "compact"]


def history_report(
    run: Wire, selection: Selection, size: Size, *, frame: int, budget: Budget | None, mode: Mode
) -> Wire:
    """The part of the report on history: numbers only, never content.

    `sent` and `dropped` count messages of the thread and tokens as counted here; the reason of a drop is
    `truncation_strategy`, `context`, `max_prompt_tokens` or `compaction`. Tokens never counted are not in `dropped`.
    """
    sent = selection if selection.fits else Selection()
    dropped = size.messages - sent.messages
    return {
        "strategy": mode,
        "truncation_strategy": run["truncation_strategy"],
        "budget": None if budget is None else {"tokens": budget.tokens, "source": budget.source},
        "fits": selection.fits,
        "sent": {
            "messages": sent.messages,
            "entries": sent.entries,
            "tokens": sent.tokens,
            "instructions_and_tools_tokens": frame,
        },
        "dropped": {
            "messages": dropped,
            "tokens": max(0, size.tokens - sent.tokens),
            "reason": _reason(selection, budget, mode) if dropped else None,
        },
        "compacted": None,
        "counted": None,
        # Where the middle of the thread is missing, there are two.
        "spans": [{"messages": span.messages, "tokens": span.tokens} for span in sent.spans],
    }


def not_sent(history: Wire) -> Wire:
    """The report of a history that was chosen, and found not to fit by the service or for want of its answer."""
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


def with_compaction(turn: Turn, entries: Sequence[Entry]) -> Turn:
    """The turn, in whose report it is told what of the thread the service compacted while it answered."""
    if turn.report is None or not any((entry.item or {}).get("type") == "compaction" for entry in entries):
        return turn
    history = turn.report["history"]
    compacted = {name: history["sent"][name] for name in ("messages", "tokens")}
    return replace(turn, report={**turn.report, "history": {**history, "compacted": compacted}})


def prompt_tokens(report: Wire) -> int:
    """What the prompt of a turn weighs, as counted here before it is sent."""
    sent = report["sent"]
    tokens: int = sent["tokens"] + sent["instructions_and_tools_tokens"]
    return tokens


def _reason(selection: Selection, budget: Budget | None, mode: Mode) -> str | None:
    if selection.fits and mode != "auto":
        return {"last_messages": "truncation_strategy", "compact": "compaction"}[mode]
    return None if budget is None else budget.source


def too_long(before: Wire, after: Wire, run: Wire) -> str:
    """The warning about a prompt that was counted to fit and did not, and what helps."""
    return (
        f"The service found a prompt of about {prompt_tokens(before)} tokens too long for the model; about "
        f'{prompt_tokens(after)} were sent instead. Set models."{run["model"]}".context_tokens to what it takes.'
    )


def turn_report(
    history: Wire,
    run: Wire,
    model: ResolvedModel,
    warnings: Sequence[str],
    continuation: Continuation | None = None,
) -> Wire:
    """The whole report of a turn that was asked: its history, the model asked in place of which, the warnings, and
    whether it went on from what the service keeps.
    """
    return {
        "history": history,
        "model": {"requested": run["model"], "asked": model.model, "reasoning_effort": model.reasoning_effort},
        "warnings": list(warnings),
        "state": told_state(continuation),
    }
