"""The report of a run: what each of its turns sent, dropped and cost, and the sums it belongs to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from threadbridge.costs.pricing import names_of, spent_on, total
from threadbridge.ports import Scope, Spent, Turn, Wire

_NANODOLLARS = 10**9


def run_report(run: Wire, turns: Sequence[Turn], sums: Mapping[Scope, Spent]) -> Wire:
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
        "turns": [_turn(run, turn) for turn in turns],
        "totals": {
            "run": total_report(total(spent_on(turn) for turn in turns)),
            **{scope.value: total_report(spent) for scope, spent in sums.items()},
        },
    }


def _turn(run: Wire, turn: Turn) -> Wire:
    kept = turn.report or {}
    model = kept.get("model") or {}
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
        "history": kept.get("history"),
        "state": kept.get("state"),
        "warnings": kept.get("warnings", []),
        "usage": turn.usage,
        "hosted_calls": kept.get("hosted_calls", {}),
        "cost": {
            "usd": usd(0 if turn.usage is None else turn.nanodollars),
            "note": _note(turn),
            "not_included": kept.get("not_included", []),
        },
    }


def _note(turn: Turn) -> str | None:
    """Why a turn has no price, or none to speak of, in one sentence."""
    if turn.usage is None:
        asked = (turn.report or {}).get("model") is not None
        return "The service refused the request." if asked else "The model was not asked."
    if turn.nanodollars is not None:
        return None
    if not turn.usage["total_tokens"]:
        return "The service did not tell what this turn used, so what it cost is unknown."
    return unknown_price(next((name for name in names_of(turn) if name), "the model"))


def unknown_price(model: str) -> str:
    """One sentence about a model without a price, and what helps."""
    return f"The price of {model} is not known: set `prices`, or install threadbridge[cost] for a list of prices."


def total_report(spent: Spent) -> Wire:
    """A sum as it is told: `usd` is what has a price, and null where nothing of it has one."""
    return {
        "usd": usd(None if spent.turns and spent.turns == spent.unpriced else spent.nanodollars),
        "turns": spent.turns,
        "unpriced_turns": spent.unpriced,
        "prompt_tokens": spent.prompt_tokens,
        "cached_tokens": spent.cached_tokens,
        "completion_tokens": spent.completion_tokens,
        "reasoning_tokens": spent.reasoning_tokens,
    }


def usd(nanodollars: int | None) -> float | None:
    """US dollars as a number of JSON."""
    return None if nanodollars is None else nanodollars / _NANODOLLARS
