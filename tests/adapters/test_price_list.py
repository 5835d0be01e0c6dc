"""Prices from the installed list, and models that are not on it."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from importlib import import_module
from threading import Thread, current_thread
from types import ModuleType, SimpleNamespace

import pytest

from threadbridge.costs.pricing import EmptyPriceList
from threadbridge.ports import Rates
from threadbridge_adapters import price_list as price_list_module
from threadbridge_adapters.price_list import OPENAI_BASE_URL, create_price_list

#: A day of 2026.
NOW = 1_790_000_000.0
GPT_4O = Rates(Decimal("2.5"), Decimal("1.25"), Decimal(10))


@pytest.mark.parametrize("url", [OPENAI_BASE_URL, f"{OPENAI_BASE_URL}/", "https://mine.openai.azure.com/openai/v1/"])
def test_the_rates_of_a_model_depend_on_the_service(url: str) -> None:
    assert create_price_list(url).get_rates("gpt-4o-2024-08-06", 1000, NOW) == GPT_4O


@pytest.mark.parametrize(
    ("url", "model"),
    [
        (OPENAI_BASE_URL, "a-model-of-ours"),
        (OPENAI_BASE_URL, ""),
        ("http://127.0.0.1:8000/v1", "gpt-4o"),
        ("", "gpt-4o"),
    ],
    ids=["unknown model", "no model", "unknown service", "no service"],
)
def test_an_unlisted_model_has_no_rates(url: str, model: str) -> None:
    assert create_price_list(url).get_rates(model, 1000, NOW) is None


def test_a_model_not_charged_by_token_has_no_rates() -> None:
    assert create_price_list(OPENAI_BASE_URL).get_rates("dall-e-3", 1000, NOW) is None


def test_long_prompts_have_the_higher_rates_of_the_list() -> None:
    rates = create_price_list(OPENAI_BASE_URL).get_rates

    short, long = rates("gpt-5.4", 100_000, NOW), rates("gpt-5.4", 1_000_000, NOW)

    assert short is not None
    assert long is not None
    assert long.input > short.input


def find_nothing(name: str) -> None:
    """`find_spec` where the package is not installed."""


def test_without_the_package_the_price_list_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(price_list_module, "find_spec", find_nothing)

    assert isinstance(create_price_list(OPENAI_BASE_URL), EmptyPriceList)


async def test_the_price_list_is_loaded_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    loaders: list[Thread] = []

    def load(name: str) -> ModuleType:
        loaders.append(current_thread())
        return import_module(name)

    monkeypatch.setattr(price_list_module, "import_module", load)
    price_list = create_price_list(OPENAI_BASE_URL)
    unloaded = price_list.is_ready

    await asyncio.gather(price_list.load(), price_list.load())

    assert (unloaded, price_list.is_ready, len(loaders)) == (False, True, 1)
    assert loaders[0] is not current_thread()
    assert price_list.get_rates("gpt-4o", 1000, NOW) == GPT_4O


@pytest.mark.parametrize("broken", [SimpleNamespace(), None], ids=["another interface", "damaged"])
async def test_an_unusable_price_list_is_empty_and_logged_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: object
) -> None:
    def load(name: str) -> object:
        if broken is None:
            raise ImportError(name)
        return broken

    monkeypatch.setattr(price_list_module, "import_module", load)
    price_list = create_price_list(OPENAI_BASE_URL)
    await price_list.load()

    assert [price_list.get_rates("gpt-4o", 1000, NOW) for _ in range(2)] == [None, None]
    assert [record.getMessage().count("genai-prices cannot be used") for record in caplog.records] == [1]
