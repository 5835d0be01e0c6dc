"""Spend limits: whether the estimated cost of the next request exceeds what the settings allow."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from decimal import Decimal

from threadbridge.api_types import LastError
from threadbridge.costs.pricing import format_dollars
from threadbridge.settings import Limits, UnknownPricePolicy

_NANODOLLARS = 10**9


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """The limit that a setting puts on a run or a tenant (`spender`), and the nanodollars spent so far."""

    setting: str
    dollars: float
    spender: str
    spent_nanodollars: int

    def is_exceeded_by(self, nanodollars: int) -> bool:
        """Whether spending this much more exceeds the limit."""
        return self.spent_nanodollars + nanodollars > Decimal(str(self.dollars)) * _NANODOLLARS


def find_unpriced_limits_warning(
    limits: Limits, *, has_price_list: bool, prices: Collection[str], policy: UnknownPricePolicy
) -> str | None:
    """A warning about spend limits without a price list; `prices` are the models with a configured price."""
    settings = [f"limits.{name}" for name in ("run_dollars", "tenant_dollars") if getattr(limits, name) is not None]
    if has_price_list or not settings:
        return None
    priced = f"except {', '.join(sorted(prices))}" if prices else "so far"
    effect = "fails" if policy == "refuse" else "is not limited"
    return (
        f"{' and '.join(settings)} cannot be applied, as no model has a price {priced}: a run of another model "
        f"{effect} (policies.unknown_price). Install threadbridge[cost], or set the prices of your models in `prices`."
    )


def has_spend_limits(limits: Limits) -> bool:
    """Whether any spend limit is set."""
    return limits.run_dollars is not None or limits.tenant_dollars is not None


def find_exceeded_limit_error(spend_limits: Iterable[SpendLimit], nanodollars: int) -> LastError | None:
    """The `last_error` of a run whose next request would exceed one of the limits; None if none is exceeded."""
    exceeded = next((limit for limit in spend_limits if limit.is_exceeded_by(nanodollars)), None)
    if exceeded is None:
        return None
    return {
        "code": "rate_limit_exceeded",  # the code of an exhausted quota (A47)
        "message": f"The run was stopped before its next request, which may cost "
        f"{format_dollars(nanodollars)}: {exceeded.spender} has already spent "
        f"{format_dollars(exceeded.spent_nanodollars)}, and {exceeded.setting} is "
        f"{format_dollars(int(Decimal(str(exceeded.dollars)) * _NANODOLLARS))}.",
    }


def build_unpriced_error(model: str, settings: Iterable[str]) -> LastError:
    """The `last_error` of a run with a spend limit and a model whose price is not known."""
    return {
        "code": "server_error",
        "message": f"The run was stopped before its next request, because its cost is limited ({', '.join(settings)}) "
        f"and the price of {model} is unknown. Set `prices`, install threadbridge[cost] for a list of prices, or set "
        "policies.unknown_price = 'allow'.",
    }
