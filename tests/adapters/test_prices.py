"""Prices from the list that is installed, and what becomes of models that are not on it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from threadbridge.costs.pricing import no_rates
from threadbridge.ports import Rates
from threadbridge_adapters import prices
from threadbridge_adapters.prices import OPENAI, price_list

#: A day of 2026.
NOW = 1_790_000_000.0
GPT_4O = Rates(Decimal("2.5"), Decimal("1.25"), Decimal(10))


@pytest.mark.parametrize("url", [OPENAI, f"{OPENAI}/", "https://mine.openai.azure.com/openai/v1/"])
def test_a_model_has_the_rates_of_the_service_it_is_asked_of(url: str) -> None:
    assert price_list(url)("gpt-4o-2024-08-06", 1000, NOW) == GPT_4O


@pytest.mark.parametrize(
    ("url", "model"),
    [(OPENAI, "a-model-of-ours"), (OPENAI, ""), ("http://127.0.0.1:8000/v1", "gpt-4o"), ("", "gpt-4o")],
    ids=["unknown model", "no model", "unknown service", "no service"],
)
def test_what_is_not_on_the_list_has_no_rates(url: str, model: str) -> None:
    assert price_list(url)(model, 1000, NOW) is None


def test_what_is_not_charged_by_the_token_has_no_rates() -> None:
    assert price_list(OPENAI)("dall-e-3", 1000, NOW) is None


def test_long_prompts_cost_more_where_the_list_says_so() -> None:
    rates = price_list(OPENAI)

    short, long = rates("gpt-5.4", 100_000, NOW), rates("gpt-5.4", 1_000_000, NOW)

    assert short is not None
    assert long is not None
    assert long.input > short.input


def test_without_the_list_nobody_knows_any(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "find_spec", lambda _: None)

    assert price_list(OPENAI) is no_rates
