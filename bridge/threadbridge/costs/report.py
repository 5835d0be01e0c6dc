"""Reports of costs: the run report, the rows of a cost table, and the days that users enter."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from threadbridge.api_types import JsonMapping, JsonObject, RunObject
from threadbridge.costs.pricing import compute_turn_spending, format_dollars, list_model_names, sum_spending
from threadbridge.ports import SpendByKey, SpendScope, SpendTotals, Turn

_NANODOLLARS = 10**9
_FIRST_DAY = date(1970, 1, 1)
_RELATIVE_DAY = re.compile(r"(?P<count>[0-9]{1,5})(?P<unit>[dw])")
_DAYS = {"d": 1, "w": 7}


def build_run_report(run: RunObject, turns: Sequence[Turn], sums: Mapping[SpendScope, SpendTotals]) -> JsonObject:
    """The whole report, a `types.RunReport` as JSON: numbers, names, IDs and errors, never content.

    `sums` are the spending of its thread, assistant and tenant.
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


def _build_turn_report(run: RunObject, turn: Turn) -> JsonObject:
    report: JsonMapping = turn.report or {}
    model: JsonMapping = report.get("model") or {}
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
    """Why a turn has no price, in one sentence; None if it has one."""
    if turn.usage is None:
        was_sent = turn.report is not None and turn.report.get("model") is not None
        return "The upstream service rejected the request." if was_sent else "No request was sent."
    if turn.nanodollars is not None:
        return None
    if not turn.usage["total_tokens"]:
        return "The upstream service reported no usage for this turn, so its cost is unknown."
    return format_unknown_price(next((name for name in list_model_names(turn) if name), "the model"))


def format_unknown_price(model: str) -> str:
    """The sentence about a model without a price, with the settings that help."""
    return f"The price of {model} is unknown. Set `prices`, or install threadbridge[cost] for a list of prices."


def build_total_report(spent: SpendTotals) -> JsonObject:
    """A sum for a report: `usd` covers the turns with a price, and is null if no turn has one."""
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
    """US dollars as a JSON number."""
    return None if nanodollars is None else nanodollars / _NANODOLLARS


@dataclass(frozen=True, slots=True)
class CostRow:
    """The spending of one thread, assistant or model."""

    scope: SpendScope
    key: str
    spent: SpendTotals

    def to_json(self) -> JsonObject:
        """The row as a JSON object: its key under the name of the scope, and its sum as in a report."""
        return {self.scope.value: self.key, **build_total_report(self.spent)}


def build_cost_rows(scope: SpendScope, tallies: Iterable[SpendByKey]) -> Sequence[CostRow]:
    """One row per key, the highest cost first; rows of equal or unknown cost by their tokens."""
    rows = [CostRow(scope, key, spent) for key, spent in tallies]
    tokens = {row.key: row.spent.prompt_tokens + row.spent.completion_tokens for row in rows}
    return sorted(rows, key=lambda row: (-row.spent.nanodollars, -tokens[row.key], row.key))


def sum_cost_rows(rows: Iterable[CostRow]) -> SpendTotals:
    """The sum of the rows."""
    return sum_spending(row.spent for row in rows)


def format_cost(spent: SpendTotals) -> str:
    """The cost as text; a cost without a price is unknown, never zero."""
    if not spent.unpriced:
        return format_dollars(spent.nanodollars)
    return "unknown" if spent.unpriced == spent.turns else f"{format_dollars(spent.nanodollars)} + unknown"


def parse_day(text: str, *, today: int) -> int:
    """Days since 1970 (UTC) of a date or an age such as `7d`. Raises ValueError that names the accepted forms."""
    ago = _RELATIVE_DAY.fullmatch(text)
    if ago is not None:
        return today - int(ago["count"]) * _DAYS[ago["unit"]]
    try:
        return (date.fromisoformat(text) - _FIRST_DAY).days
    except ValueError:
        raise ValueError(
            f"{text!r} is not a day. Give a date, such as 2026-11-01, or an age, such as 7d or 4w."
        ) from None
