"""Prices of turns, from their usage and the rates of the model that answered. Amounts are whole nanodollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from threadbridge.api_types import JsonMapping, RunStepObject, UsageObject
from threadbridge.ports import PriceList, Rates, SpendTotals, Turn
from threadbridge.settings import Fees, ModelPrice
from threadbridge.translation.hosted_tools.hosted_tool import HostedTool
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

#: Rates are dollars per million tokens: a rate of 1 is a thousand nanodollars per token.
_NANODOLLARS_PER_TOKEN = 1000
_NANODOLLARS = 10**9
_SECONDS_PER_DAY = 86_400


class EmptyPriceList:
    """A `ports.PriceList` without prices."""

    is_ready = True

    async def load(self) -> None:
        """Does nothing."""

    def get_rates(self, model: str, prompt_tokens: int, now: float) -> Rates | None:  # noqa: ARG002 - the port's
        """None for every model."""
        return None


@dataclass(frozen=True, slots=True)
class CostRules:
    """Sources of prices: configured by model, otherwise a price list; and the fees that are charged besides tokens."""

    configured_prices: Mapping[str, ModelPrice] = field(default_factory=dict[str, ModelPrice])
    price_list: PriceList = field(default_factory=EmptyPriceList)
    fees: Fees = field(default_factory=Fees)

    def find_rates(self, names: Iterable[str | None], *, prompt_tokens: int, now: float) -> Rates | None:
        """The rates of the first of these names that has any; configured prices come before the price list."""
        known = [name for name in names if name]
        for name in known:
            price = self.configured_prices.get(name)
            if price is not None:
                cached = price.input if price.cached_input is None else price.cached_input
                return Rates(Decimal(str(price.input)), Decimal(str(cached)), Decimal(str(price.output)))
        for name in known:
            if (rates := self.price_list.get_rates(name, prompt_tokens, now)) is not None:
                return rates
        return None


def to_day_number(now: float) -> int:
    """Days since 1970 (UTC)."""
    return int(now // _SECONDS_PER_DAY)


def list_model_names(turn: Turn) -> tuple[str | None, ...]:
    """The model that answered, and the one that was requested: a deployment may have its own name."""
    report: JsonMapping = turn.report or {}
    requested: JsonMapping = report.get("model") or {}
    return turn.model, requested.get("asked")


def compute_turn_price(turn: Turn, rules: CostRules, *, calls: Mapping[str, int], now: float) -> int | None:
    """The cost of the turn in nanodollars, including its calls of hosted tools; None if the model's price or the
    usage is not known (D57).
    """
    usage: UsageObject | None = turn.usage
    if usage is None or not usage["total_tokens"]:
        return None
    rates = rules.find_rates(list_model_names(turn), prompt_tokens=usage["prompt_tokens"], now=now)
    return None if rates is None else compute_price(rates, usage) + compute_tool_fees(calls, rules.fees)


def estimate_max_price(
    model: str, *, prompt_tokens: int, answer_tokens: int, rules: CostRules, now: float
) -> int | None:
    """The cost of a request with no cached tokens and the longest answer; None if the price is not known."""
    rates = rules.find_rates((model,), prompt_tokens=prompt_tokens, now=now)
    return None if rates is None else _to_nanodollars(rates.input * prompt_tokens + rates.output * answer_tokens)


def compute_price(rates: Rates, usage: UsageObject) -> int:
    """The cost of a usage. Reasoning tokens are part of the output and charged as such (A46)."""
    details = usage.get("prompt_token_details")
    cached = 0 if details is None else min(details["cached_tokens"], usage["prompt_tokens"])
    amount = (
        rates.input * (usage["prompt_tokens"] - cached)
        + rates.cached_input * cached
        + rates.output * usage["completion_tokens"]
    )
    return _to_nanodollars(amount)


def _to_nanodollars(dollars_per_million: Decimal) -> int:
    return int((dollars_per_million * _NANODOLLARS_PER_TOKEN).to_integral_value(ROUND_HALF_UP))


def count_hosted_calls(steps: Iterable[RunStepObject]) -> Mapping[str, int]:
    """The number of calls of each hosted tool in the steps of a turn, by tool type."""
    calls: dict[str, int] = {}
    for step in steps:
        if step["step_details"]["type"] == "tool_calls":
            for call in step["step_details"]["tool_calls"]:
                if call["type"] != "function":
                    calls[call["type"]] = calls.get(call["type"], 0) + 1
    return calls


def compute_tool_fees(calls: Mapping[str, int], fees: Fees) -> int:
    """The fees of these calls in nanodollars, for the tools that the settings give a price."""
    prices = ((tool.fees.get_call_price(fees) or 0, calls.get(tool.type, 0)) for tool in HOSTED_TOOLS.values())
    return int(sum(Decimal(str(price)) * count for price, count in prices) * _NANODOLLARS)


def list_excluded_fees(calls: Mapping[str, int], fees: Fees, tools: Iterable[HostedTool]) -> list[str]:
    """The names of fees that the upstream may charge for the turn and that no price here includes.

    `tools` are the hosted tools of the run: a container is charged by the time it exists, whether or not code ran in
    this turn.
    """
    unpriced = [
        tool.fees.call_name
        for tool in HOSTED_TOOLS.values()
        if calls.get(tool.type) and tool.fees.call_name is not None and tool.fees.get_call_price(fees) is None
    ]
    return [*unpriced, *(tool.fees.standing_name for tool in tools if tool.fees.standing_name is not None)]


def compute_turn_spending(turn: Turn) -> SpendTotals:
    """What the turn adds to every sum; nothing if no request was sent."""
    usage: UsageObject | None = turn.usage
    if usage is None:
        return SpendTotals()
    cached, reasoning = usage.get("prompt_token_details"), usage.get("completion_tokens_details")
    return SpendTotals(
        turns=1,
        unpriced=int(turn.nanodollars is None),
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=cached["cached_tokens"] if cached is not None else 0,
        completion_tokens=usage["completion_tokens"],
        reasoning_tokens=reasoning["reasoning_tokens"] if reasoning is not None else 0,
        nanodollars=turn.nanodollars or 0,
    )


def sum_spending(parts: Iterable[SpendTotals]) -> SpendTotals:
    """The sum of the parts."""
    return SpendTotals(*map(sum, zip(SpendTotals(), *parts, strict=True)))


def format_dollars(nanodollars: int) -> str:
    """The amount in US dollars as text, exact to the nanodollar."""
    digits = f"{Decimal(nanodollars) / _NANODOLLARS:.9f}"
    return f"${digits[:-7]}{digits[-7:].rstrip('0')}"
