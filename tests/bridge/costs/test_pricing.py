"""What turns cost: exact arithmetic, and nothing made up where something is not known."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from threadbridge.api_types import UsageObject
from threadbridge.costs.pricing import (
    CostRules,
    EmptyPriceList,
    compute_price,
    compute_turn_price,
    compute_turn_spending,
    estimate_max_price,
    format_dollars,
    sum_spending,
    to_day_number,
)
from threadbridge.ports import Rates, SpendTotals, Turn
from threadbridge.settings import Fees, ModelPrice
from threadbridge.translation.wire_objects import parse_usage, zero_usage

RATES = Rates(Decimal("2.5"), Decimal("1.25"), Decimal(10))
NOON = 86_400.0 * 20_000 + 43_200
USAGE = parse_usage(
    {
        "usage": {
            "input_tokens": 1000,
            "output_tokens": 50,
            "input_tokens_details": {"cached_tokens": 400},
            "output_tokens_details": {"reasoning_tokens": 30},
        }
    }
)


class Listed(EmptyPriceList):
    """A list with one model, twice as dear for long prompts."""

    def get_rates(self, model: str, prompt_tokens: int, now: float) -> Rates | None:
        dear = 2 if prompt_tokens > 1000 else 1
        return Rates(RATES.input * dear, RATES.cached_input * dear, RATES.output * dear) if model == "listed" else None


RULES = CostRules({"ours": ModelPrice(input=1, output=2)}, Listed())


def turn(usage: Any | None = USAGE, *, answered: str | None = "listed", asked: str = "asked") -> Turn:
    return Turn(1, "resp_1", model=answered, usage=usage, report={"model": {"asked": asked}})


def test_what_was_cached_costs_less_and_reasoning_is_part_of_the_answer() -> None:
    nanodollars = compute_price(RATES, USAGE)

    assert nanodollars == 600 * 2500 + 400 * 1250 + 50 * 10_000


def test_more_cached_tokens_than_there_are_cost_no_more_than_all_of_them() -> None:
    usage: UsageObject = {**USAGE, "prompt_tokens": 100}

    assert compute_price(RATES, usage) == 100 * 1250 + 50 * 10_000


def test_fractions_of_a_nanodollar_are_rounded_and_not_dropped() -> None:
    usage: UsageObject = {**zero_usage(), "prompt_tokens": 1, "total_tokens": 1}

    assert compute_price(Rates(Decimal("0.0005"), Decimal(0), Decimal(0)), usage) == 1


@pytest.mark.parametrize(
    ("answered", "asked", "expected"),
    [
        ("listed", "whatever", compute_price(RATES, USAGE)),
        ("a-dated-name", "listed", compute_price(RATES, USAGE)),
        (None, "listed", compute_price(RATES, USAGE)),
        ("listed", "ours", 1000 * 1000 + 50 * 2000),
        ("unheard-of", "unheard-of-too", None),
    ],
)
def test_a_price_is_found_by_the_name_that_answered_or_was_asked_configured_ones_first(
    answered: str | None, asked: str, expected: int | None
) -> None:
    assert compute_turn_price(turn(answered=answered, asked=asked), RULES, calls={}, now=NOON) == expected


def test_a_long_prompt_is_charged_by_its_tier() -> None:
    longer: UsageObject = {**USAGE, "prompt_tokens": 1001}

    assert compute_turn_price(turn(longer), RULES, calls={}, now=NOON) == 2 * compute_price(RATES, longer)


@pytest.mark.parametrize("usage", [None, zero_usage()], ids=["not asked", "not told"])
def test_a_turn_whose_usage_is_not_known_has_no_price(usage: Any | None) -> None:
    assert compute_turn_price(turn(usage), RULES, calls={}, now=NOON) is None


def test_a_turn_from_before_reports_were_kept_is_priced_by_the_model_that_answered() -> None:
    assert compute_turn_price(Turn(1, model="listed", usage=USAGE), RULES, calls={}, now=NOON) == compute_price(
        RATES, USAGE
    )


def test_a_request_is_estimated_without_any_cache_and_with_the_longest_answer() -> None:
    def estimate(model: str) -> int | None:
        return estimate_max_price(model, prompt_tokens=1000, answer_tokens=16, rules=RULES, now=NOON)

    assert estimate("listed") == 1000 * 2500 + 16 * 10_000
    assert estimate("unheard-of") is None


def test_searches_are_charged_where_a_setting_says_how_much() -> None:
    charging = CostRules(RULES.configured_prices, RULES.price_list, Fees(file_search_call=0.0025))

    searches = {"file_search": 2}

    assert compute_turn_price(turn(), RULES, calls=searches, now=NOON) == compute_price(RATES, USAGE)
    assert compute_turn_price(turn(), charging, calls=searches, now=NOON) == compute_price(RATES, USAGE) + 2 * 2_500_000
    assert compute_turn_price(turn(answered=None), charging, calls=searches, now=NOON) is None


def test_sums_count_turns_of_unknown_price_apart() -> None:
    priced, unpriced = Turn(1, usage=USAGE, nanodollars=7), Turn(2, usage=USAGE)

    spent = sum_spending(compute_turn_spending(one) for one in (priced, unpriced, Turn(3)))

    assert spent == SpendTotals(
        turns=2,
        unpriced=1,
        prompt_tokens=2000,
        cached_tokens=800,
        completion_tokens=100,
        reasoning_tokens=60,
        nanodollars=7,
    )


def test_the_sum_of_nothing_is_nothing() -> None:
    assert sum_spending(()) == SpendTotals()


def test_a_day_is_a_day_of_universal_time() -> None:
    assert [to_day_number(NOON + seconds) for seconds in (-43_200, 43_199, 43_200)] == [20_000, 20_000, 20_001]


@pytest.mark.parametrize(
    ("nanodollars", "told"),
    [(0, "$0.00"), (1, "$0.000000001"), (10_000_000, "$0.01"), (1_234_500_000, "$1.2345"), (10**12, "$1000.00")],
)
def test_amounts_are_told_exactly(nanodollars: int, told: str) -> None:
    assert format_dollars(nanodollars) == told
