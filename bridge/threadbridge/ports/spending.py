"""Prices, and what was spent: the values a store sums up and never looks into."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, TypeAlias


@dataclass(frozen=True, slots=True)
class Rates:
    """What a model costs, in US dollars for a million tokens. Cached ones are those of a prompt seen before."""

    input: Decimal
    cached_input: Decimal
    output: Decimal


#: The rates of a model for a prompt of so many tokens at a time (Unix seconds); None where nobody knows them. Must be
#: fast and touch no network, for it is called within transactions.
RatesOf: TypeAlias = Callable[[str, int, float], Rates | None]


class Scope(StrEnum):
    """Whose spending is summed up."""

    THREAD = "thread"
    ASSISTANT = "assistant"
    MODEL = "model"
    TENANT = "tenant"


class Spent(NamedTuple):
    """What turns cost. `nanodollars` is the sum of those with a price; `unpriced` are those of unknown price."""

    turns: int = 0
    unpriced: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    nanodollars: int = 0


class Tally(NamedTuple):
    """What was spent on one thread, assistant or model."""

    key: str
    spent: Spent
