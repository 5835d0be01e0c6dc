"""The price list of genai-prices, if it is installed. Its wheel contains the prices: nothing is downloaded."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from threadbridge.costs.pricing import EmptyPriceList
from threadbridge.logs import get_logger
from threadbridge.ports import PriceList, Rates
from threadbridge.runtime.fork_locks import ForkLock

#: The simulator's responses are priced like OpenAI's.
OPENAI_BASE_URL = "https://api.openai.com/v1"
#: A price may depend on the hour of the day, so lookups are cached for one hour.
_CACHE_SECONDS = 3600
_CACHE_SIZE = 256
_UNUSABLE_LIBRARY = object()

_log = get_logger("threadbridge.prices")


def create_price_list(base_url: str) -> PriceList:
    """The price list of the service at a URL; without the extra `cost` every price is unknown."""
    return EmptyPriceList() if find_spec("genai_prices") is None else GenaiPriceList(base_url)


class GenaiPriceList:
    """`ports.PriceList` of one provider, identified by its URL. Loading the list takes 0.2 s of CPU time."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._library: Any = None
        self._loading = ForkLock()  # a child could not go on with a half-imported library
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
            return None  # for example charged per image or per minute
        cached = _get_rate(prices, "cache_read_mtok", prompt_tokens)
        return Rates(fresh, fresh if cached is None else cached, output)

    def _get_library(self) -> Any:
        """The library with its list loaded; `_UNUSABLE_LIBRARY` on any failure: a changed interface fails no run."""
        with self._loading:
            if self._library is None:
                try:
                    library: Any = import_module("genai_prices")
                    _look_up_price(library, "gpt-4o", self._base_url, hour=0)
                except Exception:
                    _log.exception("genai-prices cannot be used, so prices that are not configured are unknown")
                    library = _UNUSABLE_LIBRARY
                self._library = library
        return self._library

    def _look_up(self, model: str, hour: int) -> Any:
        library = self._get_library()
        return None if library is _UNUSABLE_LIBRARY else _look_up_price(library, model, self._base_url, hour)


def _look_up_price(library: Any, model: str, base_url: str, hour: int) -> Any:
    """The price of a model in that hour; None for an unknown provider or model."""
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
    """Dollars per million tokens; a long prompt may have a higher price for all of its tokens."""
    price = getattr(prices, name, None)
    if price is None or isinstance(price, Decimal):
        return price
    tier_prices = [tier.price for tier in price.tiers if prompt_tokens > tier.start]
    rate: Decimal = tier_prices[-1] if tier_prices else price.base
    return rate
