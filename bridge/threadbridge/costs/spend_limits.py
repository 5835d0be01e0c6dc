"""Whether the next request may still be paid for: what was spent, and what is known of its cost before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from threadbridge.costs.pricing import format_dollars
from threadbridge.ports import Wire
from threadbridge.settings import Limits

_NANODOLLARS = 10**9


@dataclass(frozen=True, slots=True)
class SpendLimit:
    """A bound that a setting puts on what `who` spends, and what that was so far, in nanodollars."""

    setting: str
    dollars: float
    spender: str
    spent_nanodollars: int

    def is_exceeded_by(self, nanodollars: int) -> bool:
        """Whether so much more would be too much."""
        return self.spent_nanodollars + nanodollars > Decimal(str(self.dollars)) * _NANODOLLARS


def has_spend_limits(limits: Limits) -> bool:
    """Whether a setting bounds what runs may cost."""
    return limits.run_dollars is not None or limits.tenant_dollars is not None


def find_exceeded_limit_error(spend_limits: Iterable[SpendLimit], nanodollars: int) -> Wire | None:
    """The `last_error` of a run whose next request would exceed one of the caps; None where none is."""
    exceeded = next((cap for cap in spend_limits if cap.is_exceeded_by(nanodollars)), None)
    if exceeded is None:
        return None
    return {
        "code": "rate_limit_exceeded",  # what a spent quota was told as (A47)
        "message": f"The run was stopped before its next request, which may cost "
        f"{format_dollars(nanodollars)}: {exceeded.spender} spent {format_dollars(exceeded.spent_nanodollars)} "
        f"already, and {exceeded.setting} allows {_format_limit(exceeded.dollars)}.",
    }


def _format_limit(amount: float) -> str:
    return format_dollars(int(Decimal(str(amount)) * _NANODOLLARS))


def build_unpriced_error(model: str, settings: Iterable[str]) -> Wire:
    """The `last_error` of a run that is to be bounded, with a model whose price nobody knows."""
    return {
        "code": "server_error",
        "message": f"The run was stopped before its next request: what it may cost is bounded ({', '.join(settings)}), "
        f"and the price of {model} is not known; set `prices`, install threadbridge[cost] for a list of prices, or set "
        "policies.unknown_price to allow.",
    }
