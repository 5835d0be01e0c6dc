"""Whether the next request may still be paid for: what was spent, and what is known of its cost before it is sent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from threadbridge.costs.pricing import dollars
from threadbridge.ports import Wire
from threadbridge.settings import Limits

_NANODOLLARS = 10**9


@dataclass(frozen=True, slots=True)
class Cap:
    """A bound that a setting puts on what `who` spends, and what that was so far, in nanodollars."""

    setting: str
    dollars: float
    who: str
    spent: int

    def is_exceeded_by(self, nanodollars: int) -> bool:
        """Whether so much more would be too much."""
        return self.spent + nanodollars > Decimal(str(self.dollars)) * _NANODOLLARS


def is_bounded(limits: Limits) -> bool:
    """Whether a setting bounds what runs may cost."""
    return limits.run_dollars is not None or limits.tenant_dollars is not None


def refusal(caps: Iterable[Cap], nanodollars: int) -> Wire | None:
    """The `last_error` of a run whose next request would exceed one of the caps; None where none is."""
    cap = next((cap for cap in caps if cap.is_exceeded_by(nanodollars)), None)
    if cap is None:
        return None
    return {
        "code": "rate_limit_exceeded",  # what a spent quota was told as (A47)
        "message": f"The run was stopped before its next request, which may cost {dollars(nanodollars)}: {cap.who} "
        f"spent {dollars(cap.spent)} already, and {cap.setting} allows {_told(cap.dollars)}.",
    }


def _told(amount: float) -> str:
    return dollars(int(Decimal(str(amount)) * _NANODOLLARS))


def unpriced(model: str, settings: Iterable[str]) -> Wire:
    """The `last_error` of a run that is to be bounded, with a model whose price nobody knows."""
    return {
        "code": "server_error",
        "message": f"The run was stopped before its next request: what it may cost is bounded ({', '.join(settings)}), "
        f"and the price of {model} is not known; set `prices`, install threadbridge[cost] for a list of prices, or set "
        "policies.unknown_price to allow.",
    }
