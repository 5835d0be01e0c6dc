"""The report of a run: what each of its turns sent, dropped and cost, and the sums it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from threadbridge.costs.pricing import compute_turn_spending, list_model_names, sum_spending
from threadbridge.ports import SpendScope, SpendTotals, Turn, Wire

_NANODOLLARS = 10**9


def build_run_report(run: Wire, turns: Sequence[Turn], sums: Mapping[SpendScope, SpendTotals]) -> Wire:
    """The whole report: numbers, names, ids and errors, never content.

    `sums` are those of its thread, assistant and tenant.
    """
    return {
        "object": "thread.run.report",
        "run_id": run["id"],
        "thread_id": run["thread_id"],
        "assistant_id": run["assistant_id"],
        "status": run["status"],
        "last_error": run["last_error"],
        "incomplete_details": run["incomplete_details"],
        "model": run["model"],
        "turns": [_build_turn_report(run, turn) for turn in turns],
        "totals": {
            "run": build_total_report(sum_spending(compute_turn_spending(turn) for turn in turns)),
            **{scope.value: build_total_report(spent) for scope, spent in sums.items()},
        },
    }


def _build_turn_report(run: Wire, turn: Turn) -> Wire:
    report = turn.report or {}
    model = report.get("model") or {}
    return {
        "number": turn.number,
        "response_id": turn.response_id,
        "request_id": turn.request_id,
        "model": {
            "requested": run["model"],
            "asked": model.get("asked"),
            "answered": turn.model,
            "reasoning_effort": model.get("reasoning_effort"),
        },
        "history": report.get("history"),
        "state": report.get("state"),
        "warnings": report.get("warnings", []),
        "usage": turn.usage,
        "hosted_calls": report.get("hosted_calls", {}),
        "cost": {
            "usd": to_usd(0 if turn.usage is None else turn.nanodollars),
            "note": _explain_price(turn),
            "not_included": report.get("not_included", []),
        },
    }


def _explain_price(turn: Turn) -> str | None:
    """Why a turn has no price, or none to speak of, in one sentence."""
    if turn.usage is None:
        asked = (turn.report or {}).get("model") is not None
        return "The service refused the request." if asked else "The model was not asked."
    if turn.nanodollars is not None:
        return None
    if not turn.usage["total_tokens"]:
        return "The service did not tell what this turn used, so what it cost is unknown."
    return format_unknown_price(next((name for name in list_model_names(turn) if name), "the model"))


def format_unknown_price(model: str) -> str:
    """One sentence about a model without a price, and what helps."""
    return f"The price of {model} is not known: set `prices`, or install threadbridge[cost] for a list of prices."


def build_total_report(spent: SpendTotals) -> Wire:
    """A sum as it is told: `usd` is what has a price, and null where nothing of it has one."""
    return {
        "usd": to_usd(None if spent.turns and spent.turns == spent.unpriced else spent.nanodollars),
        "turns": spent.turns,
        "unpriced_turns": spent.unpriced,
        "prompt_tokens": spent.prompt_tokens,
        "cached_tokens": spent.cached_tokens,
        "completion_tokens": spent.completion_tokens,
        "reasoning_tokens": spent.reasoning_tokens,
    }


def to_usd(nanodollars: int | None) -> float | None:
    """US dollars as a number of JSON."""
    return None if nanodollars is None else nanodollars / _NANODOLLARS
