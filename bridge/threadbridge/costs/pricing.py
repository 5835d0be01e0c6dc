"""What a turn cost, from its usage and the rates of the model that answered. Amounts are whole nanodollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from threadbridge.costs.tool_fees import fee
from threadbridge.ports import PriceList, Rates, Spent, Turn, Wire
from threadbridge.settings import Fees, ModelPrice

#: Rates are dollars for a million tokens: one of them is a thousand nanodollars for a token.
_NANODOLLARS_A_TOKEN = 1000
_NANODOLLARS = 10**9
_SECONDS_A_DAY = 86_400


class NoPrices:
    """`ports.PriceList` of those who have none."""

    is_ready = True

    async def ready(self) -> None:
        """There is nothing to load."""

    def rates(self, model: str, prompt_tokens: int, now: float) -> Rates | None:  # noqa: ARG002 - the port's
        """Nobody knows."""
        return None


@dataclass(frozen=True, slots=True)
class CostRules:
    """Where prices come from: as configured, by model; else from a list. And what is charged beside tokens."""

    configured: Mapping[str, ModelPrice] = field(default_factory=dict[str, ModelPrice])
    listed: PriceList = field(default_factory=NoPrices)
    fees: Fees = field(default_factory=Fees)

    def rates(self, names: Iterable[str | None], *, prompt_tokens: int, now: float) -> Rates | None:
        """The rates of the first of these names that has any; what is configured comes before what is listed."""
        known = [name for name in names if name]
        for name in known:
            if (price := self.configured.get(name)) is not None:
                return _as_rates(price)
        for name in known:
            if (rates := self.listed.rates(name, prompt_tokens, now)) is not None:
                return rates
        return None


def _as_rates(price: ModelPrice) -> Rates:
    cached = price.input if price.cached_input is None else price.cached_input
    return Rates(Decimal(str(price.input)), Decimal(str(cached)), Decimal(str(price.output)))


def day_of(now: float) -> int:
    """Days since 1970 (UTC)."""
    return int(now // _SECONDS_A_DAY)


def names_of(turn: Turn) -> tuple[str | None, ...]:
    """The model that answered, and the one that was asked: a deployment may have a name of its own."""
    asked = ((turn.report or {}).get("model") or {}).get("asked")
    return turn.model, asked


def price_of(turn: Turn, rules: CostRules, *, calls: Mapping[str, int], now: float) -> int | None:
    """What the turn cost in nanodollars, its calls of hosted tools among it; None where the model's price or the usage
    is not known (D57).
    """
    usage = turn.usage
    if usage is None or not usage["total_tokens"]:
        return None
    rates = rules.rates(names_of(turn), prompt_tokens=usage["prompt_tokens"], now=now)
    return None if rates is None else price(rates, usage) + fee(calls, rules.fees)


def price_at_most(model: str, *, prompt_tokens: int, answer_tokens: int, rules: CostRules, now: float) -> int | None:
    """What a request costs with nothing cached and an answer of so many tokens; None where nobody knows."""
    rates = rules.rates((model,), prompt_tokens=prompt_tokens, now=now)
    return None if rates is None else _nanodollars(rates.input * prompt_tokens + rates.output * answer_tokens)


def price(rates: Rates, usage: Wire) -> int:
    """What this usage costs. Reasoning is charged as output, of which it is a part (A46)."""
    cached = min(usage["prompt_token_details"]["cached_tokens"], usage["prompt_tokens"])
    amount = (
        rates.input * (usage["prompt_tokens"] - cached)
        + rates.cached_input * cached
        + rates.output * usage["completion_tokens"]
    )
    return _nanodollars(amount)


def _nanodollars(dollars_for_a_million: Decimal) -> int:
    return int((dollars_for_a_million * _NANODOLLARS_A_TOKEN).to_integral_value(ROUND_HALF_UP))


def spent_on(turn: Turn) -> Spent:
    """What the turn adds to every sum; nothing where the model was not asked."""
    usage = turn.usage
    if usage is None:
        return Spent()
    return Spent(
        turns=1,
        unpriced=int(turn.nanodollars is None),
        prompt_tokens=usage["prompt_tokens"],
        cached_tokens=usage["prompt_token_details"]["cached_tokens"],
        completion_tokens=usage["completion_tokens"],
        reasoning_tokens=usage["completion_tokens_details"]["reasoning_tokens"],
        nanodollars=turn.nanodollars or 0,
    )


def total(parts: Iterable[Spent]) -> Spent:
    """The sum of several."""
    return Spent(*map(sum, zip(Spent(), *parts, strict=True)))


def dollars(nanodollars: int) -> str:
    """The amount for people, exact and never rounded to nothing."""
    digits = f"{Decimal(nanodollars) / _NANODOLLARS:.9f}"
    return f"${digits[:-7]}{digits[-7:].rstrip('0')}"
