"""The list of prices of genai-prices, where it is installed. It is in its wheel: nothing is downloaded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

from threadbridge.costs.pricing import EmptyPriceList
from threadbridge.logs import get_logger
from threadbridge.ports import PriceList, Rates

#: What the simulator's answers would have cost there.
OPENAI_BASE_URL = "https://api.openai.com/v1"
#: A price may change with the hour of the day; one is looked up once in that time.
_CACHE_SECONDS = 3600
_CACHE_SIZE = 256
_UNUSABLE_LIBRARY = object()

_log = get_logger("threadbridge.prices")


def create_price_list(base_url: str) -> PriceList:
    """What the service at a URL charges, with the extra `cost`; without it nobody knows."""
    return EmptyPriceList() if find_spec("genai_prices") is None else GenaiPriceList(base_url)


class GenaiPriceList:
    """`ports.PriceList` of one provider, known by its URL. Loading the list takes a fifth of a second of CPU."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._library: Any = None
        self._loading = Lock()
        self._cached_look_up = lru_cache(_CACHE_SIZE)(self._look_up)

    @property
    def is_ready(self) -> bool:
        return self._library is not None

    async def load(self) -> None:
        if not self.is_ready:
            await asyncio.to_thread(self._get_library)

    def get_rates(self, model: str, prompt_tokens: int, now: float) -> Rates | None:
        prices = self._cached_look_up(model, int(now // _CACHE_SECONDS))
        if prices is None:
            return None
        fresh = _get_rate(prices, "input_mtok", prompt_tokens)
        output = _get_rate(prices, "output_mtok", prompt_tokens)
        if fresh is None or output is None:
            return None  # charged by the image or the minute, for instance
        cached = _get_rate(prices, "cache_read_mtok", prompt_tokens)
        return Rates(fresh, fresh if cached is None else cached, output)

    def _get_library(self) -> Any:
        with self._loading:
            if self._library is None:
                self._library = _load_library(self._base_url)
        return self._library

    def _look_up(self, model: str, hour: int) -> Any:
        library = self._get_library()
        return None if library is _UNUSABLE_LIBRARY else _look_up_price(library, model, self._base_url, hour)


def _load_library(base_url: str) -> Any:
    """The library, its list read; its interface may change with any version, and no run must fail for that."""
    try:
        library: Any = import_module("genai_prices")
        _look_up_price(library, "gpt-4o", base_url, hour=0)
    except Exception:
        _log.exception("genai-prices cannot be used, so prices that are not configured are unknown")
        return _UNUSABLE_LIBRARY
    return library


def _look_up_price(library: Any, model: str, base_url: str, hour: int) -> Any:
    """What the list says of a model in that hour; None for an unknown provider, or an unknown model of it."""
    try:
        calculation = library.calc_price(
            library.Usage(input_tokens=0, output_tokens=0),
            model_ref=model,
            provider_api_url=base_url,
            genai_request_timestamp=datetime.fromtimestamp(hour * _CACHE_SECONDS, UTC),
        )
    except LookupError:
        return None
    return calculation.model_price


def _get_rate(prices: Any, name: str, prompt_tokens: int) -> Decimal | None:
    """Dollars for a million tokens; a longer prompt may cost more for all of it."""
    price = getattr(prices, name, None)
    if price is None or isinstance(price, Decimal):
        return price
    tier_prices = [tier.price for tier in price.tiers if prompt_tokens > tier.start]
    rate: Decimal = tier_prices[-1] if tier_prices else price.base
    return rate
