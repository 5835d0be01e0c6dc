"""Prices, and what was spent: the values a store sums up and never looks into."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model costs, in US dollars for a million tokens. Cached ones are those of a prompt seen before."""

    input: Decimal
    cached_input: Decimal
    output: Decimal


class PriceList(Protocol):
    """What the models of one service cost."""

    @property
    def is_ready(self) -> bool:
        """Whether looking a price up keeps nobody waiting."""
        ...

    async def load(self) -> None:
        """Make it so, without keeping the loop busy. Safe to call twice, and at the same time."""
        ...

    def get_rates(self, model: str, prompt_tokens: int, now: float) -> Rates | None:
        """The rates of a model for a prompt of so many tokens at a time (Unix seconds); None where nobody knows them.

        Called within transactions: it touches no network.
        """
        ...


class SpendScope(StrEnum):
    """Whose spending is summed up."""

    THREAD = "thread"
    ASSISTANT = "assistant"
    MODEL = "model"
    TENANT = "tenant"


class SpendTotals(NamedTuple):
    """What turns cost. `nanodollars` is the sum of those with a price; `unpriced` are those of unknown price."""

    turns: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    nanodollars: int = 0


class SpendByKey(NamedTuple):
    """What was spent on one thread, assistant or model."""

    key: str
    totals: SpendTotals
