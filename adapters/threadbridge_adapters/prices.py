"""The list of prices of genai-prices, where it is installed. It is in its wheel: nothing is downloaded."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from threading import Lock
from typing import Any

from threadbridge.costs.pricing import no_rates
from threadbridge.ports import Rates, RatesOf

#: What the simulator's answers would have cost there.
OPENAI = "https://api.openai.com/v1"
#: A price may change with the hour of the day; one is looked up once in that time.
_SECONDS = 3600
_MODELS = 256


def price_list(base_url: str) -> RatesOf:
    """The rates of the service at a URL, with the extra `cost`; without it nobody knows any."""
    return no_rates if find_spec("genai_prices") is None else PriceList(base_url)


class PriceList:
    """Looks models up at one provider, known by its URL. The list is loaded at the first look: half a second of CPU."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._loading = Lock()
        self._found = lru_cache(_MODELS)(self._look_up)

    def __call__(self, model: str, prompt_tokens: int, now: float) -> Rates | None:
        with self._loading:
            prices = self._found(model, int(now // _SECONDS))
        if prices is None:
            return None
        fresh = _rate(prices, "input_mtok", prompt_tokens)
        output = _rate(prices, "output_mtok", prompt_tokens)
        if fresh is None or output is None:
            return None  # charged by the image or the minute, for instance
        cached = _rate(prices, "cache_read_mtok", prompt_tokens)
        return Rates(fresh, fresh if cached is None else cached, output)

    def _look_up(self, model: str, hour: int) -> Any:
        library: Any = import_module("genai_prices")
        at = datetime.fromtimestamp(hour * _SECONDS, UTC)
        try:
            found = library.calc_price(
                library.Usage(input_tokens=0, output_tokens=0),
                model_ref=model,
                provider_api_url=self._base_url,
                genai_request_timestamp=at,
            )
        except LookupError:
            return None  # an unknown provider, or an unknown model of it
        return found.model_price


def _rate(prices: Any, name: str, prompt_tokens: int) -> Decimal | None:
    """Dollars for a million tokens; a longer prompt may cost more for all of it."""
    listed = getattr(prices, name, None)
    if listed is None or isinstance(listed, Decimal):
        return listed
    reached = [tier.price for tier in listed.tiers if prompt_tokens > tier.start]
    rate: Decimal = reached[-1] if reached else listed.base
    return rate
