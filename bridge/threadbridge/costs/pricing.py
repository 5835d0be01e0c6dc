"""What a turn cost, from its usage and the rates of the model that answered. Amounts are whole nanodollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from threadbridge.ports import PriceList, Rates, SpendTotals, Turn, Wire
from threadbridge.settings import Fees, ModelPrice
from threadbridge.translation.hosted_tools.hosted_tool import HostedTool
from threadbridge.translation.hosted_tools.registry import HOSTED_TOOLS

#: Rates are dollars for a million tokens: one of them is a thousand nanodollars for a token.
_NANODOLLARS_PER_TOKEN = 1000
_NANODOLLARS = 10**9
_SECONDS_PER_DAY = 86_400


class EmptyPriceList:
    """`ports.PriceList` of those who have none."""

    is_ready = True

    async def load(self) -> None:
        """There is nothing to load."""

    def get_rates(self, model: str, prompt_tokens: int, now: float) -> Rates | None:  # noqa: ARG002 - the port's
        """Nobody knows."""
        return None


@dataclass(frozen=True, slots=True)
class CostRules:
    """Where prices come from: as configured, by model; else from a list. And what is charged beside tokens."""

    configured_prices: Mapping[str, ModelPrice] = field(default_factory=dict[str, ModelPrice])
    price_list: PriceList = field(default_factory=EmptyPriceList)
    fees: Fees = field(default_factory=Fees)

    def find_rates(self, names: Iterable[str | None], *, prompt_tokens: int, now: float) -> Rates | None:
        """The rates of the first of these names that has any; what is configured comes before what is listed."""
        known = [name for name in names if name]
        for name in known:
            if (price := self.configured_prices.get(name)) is not None:
                return _to_rates(price)
        for name in known:
            if (rates := self.price_list.get_rates(name, prompt_tokens, now)) is not None:
                return rates
        return None


def _to_rates(price: ModelPrice) -> Rates:
    cached = price.input if price.cached_input is None else price.cached_input
    return Rates(Decimal(str(price.input)), Decimal(str(cached)), Decimal(str(price.output)))


def to_day_number(now: float) -> int:
    """Days since 1970 (UTC)."""
    return int(now // _SECONDS_PER_DAY)


def list_model_names(turn: Turn) -> tuple[str | None, ...]:
    """The model that answered, and the one that was asked: a deployment may have a name of its own."""
    asked = ((turn.report or {}).get("model") or {}).get("asked")
    return turn.model, asked


def compute_turn_price(turn: Turn, rules: CostRules, *, calls: Mapping[str, int], now: float) -> int | None:
    """What the turn cost in nanodollars, its calls of hosted tools among it; None where the model's price or the usage
    is not known (D57).
    """
    usage = turn.usage
    if usage is None or not usage["total_tokens"]:
        return None
    rates = rules.find_rates(list_model_names(turn), prompt_tokens=usage["prompt_tokens"], now=now)
    return None if rates is None else compute_price(rates, usage) + compute_tool_fees(calls, rules.fees)


def estimate_max_price(
    model: str, *, prompt_tokens: int, answer_tokens: int, rules: CostRules, now: float
) -> int | None:
    """What a request costs with nothing cached and an answer of so many tokens; None where nobody knows."""
    rates = rules.find_rates((model,), prompt_tokens=prompt_tokens, now=now)
    return None if rates is None else _to_nanodollars(rates.input * prompt_tokens + rates.output * answer_tokens)


def compute_price(rates: Rates, usage: Wire) -> int:
    """What this usage costs. Reasoning is charged as output, of which it is a part (A46)."""
    cached = min(usage["prompt_token_details"]["cached_tokens"], usage["prompt_tokens"])
    amount = (
        rates.input * (usage["prompt_tokens"] - cached)
        + rates.cached_input * cached
        + rates.output * usage["completion_tokens"]
    )
    return _to_nanodollars(amount)


def _to_nanodollars(dollars_for_a_million: Decimal) -> int:
    return int((dollars_for_a_million * _NANODOLLARS_PER_TOKEN).to_integral_value(ROUND_HALF_UP))


def count_hosted_calls(steps: Iterable[Wire]) -> Mapping[str, int]:
    """How often the steps of a turn called each hosted tool."""
    calls: dict[str, int] = {}
    for step in steps:
        for call in step["step_details"].get("tool_calls", ()):
            if call["type"] != "function":
                calls[call["type"]] = calls.get(call["type"], 0) + 1
    return calls


def compute_tool_fees(calls: Mapping[str, int], fees: Fees) -> int:
    """What these calls cost in nanodollars, as far as the settings give prices."""
    prices = ((tool.fees.get_call_price(fees) or 0, calls.get(tool.type, 0)) for tool in HOSTED_TOOLS.values())
    return int(sum(Decimal(str(price)) * count for price, count in prices) * _NANODOLLARS)


def list_excluded_fees(calls: Mapping[str, int], fees: Fees, tools: Iterable[HostedTool]) -> list[str]:
    """The names of what the service may charge for the turn and no price here includes.

    `tools` are those that the run has at the service: a container is charged by the time it exists, whether or not
    code ran in this turn.
    """
    unpriced = [
        tool.fees.call_name
        for tool in HOSTED_TOOLS.values()
        if calls.get(tool.type) and tool.fees.call_name is not None and tool.fees.get_call_price(fees) is None
    ]
    return [*unpriced, *(tool.fees.standing_name for tool in tools if tool.fees.standing_name is not None)]


def compute_turn_spending(turn: Turn) -> SpendTotals:
    """What the turn adds to every sum; nothing where the model was not asked."""
    usage = turn.usage
    if usage is None:
        return SpendTotals()
    return SpendTotals(
        turns=1,
        unpriced=int(turn.nanodollars is None),
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=usage["prompt_token_details"]["cached_tokens"],
        completion_tokens=usage["completion_tokens"],
        reasoning_tokens=usage["completion_tokens_details"]["reasoning_tokens"],
        nanodollars=turn.nanodollars or 0,
    )


def sum_spending(parts: Iterable[SpendTotals]) -> SpendTotals:
    """The sum of several."""
    return SpendTotals(*map(sum, zip(SpendTotals(), *parts, strict=True)))


def format_dollars(nanodollars: int) -> str:
    """The amount for people, exact and never rounded to nothing."""
    digits = f"{Decimal(nanodollars) / _NANODOLLARS:.9f}"
    return f"${digits[:-7]}{digits[-7:].rstrip('0')}"
