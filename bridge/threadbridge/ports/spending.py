"""Prices, and the sums of spending that a store keeps."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class Rates:
    """The prices of a model in US dollars per million tokens. Cached input is a prompt that the upstream has cached."""

    input: Decimal
    cached_input: Decimal
    output: Decimal


class PriceList(Protocol):
    """The prices of the models of one upstream."""

    @property
    def is_ready(self) -> bool:
        """Whether the prices are loaded, so that a lookup does not wait."""
        ...

    async def load(self) -> None:
        """Load the prices without blocking the event loop. Safe to call twice, also concurrently."""
        ...

    def get_rates(self, model: str, prompt_tokens: int, now: float) -> Rates | None:
        """The rates of a model for a prompt of that many tokens at a time (Unix seconds); None if they are unknown.

        Called within transactions, so it sends no requests.
        """
        ...


class SpendScope(StrEnum):
    """The kinds of key by which spending is summed."""

    THREAD = "thread"
    ASSISTANT = "assistant"
    MODEL = "model"
    TENANT = "tenant"


class SpendTotals(NamedTuple):
    """The cost of turns. `nanodollars` is the sum over those with a known price; `unpriced` counts the others."""

    turns: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    nanodollars: int = 0


class SpendByKey(NamedTuple):
    """The spending on one thread, assistant, model or tenant."""

    key: str
    totals: SpendTotals
