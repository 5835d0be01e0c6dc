"""What turns cost: exact arithmetic, and nothing made up where something is not known."""

from __future__ import annotations

from decimal import Decimal

import pytest

from threadbridge.costs.pricing import (
    CostRules,
    NoPrices,
    day_of,
    dollars,
    price,
    price_at_most,
    price_of,
    spent_on,
    total,
)
from threadbridge.ports import Rates, Spent, Turn, Wire
from threadbridge.settings import Fees, ModelPrice
from threadbridge.translation.usage import usage_of, zero_usage

RATES = Rates(Decimal("2.5"), Decimal("1.25"), Decimal(10))
NOON = 86_400.0 * 20_000 + 43_200
USAGE = usage_of(
    {
        "usage": {
            "input_tokens": 1000,
            "output_tokens": 50,
            "input_tokens_details": {"cached_tokens": 400},
            "output_tokens_details": {"reasoning_tokens": 30},
        }
    }
)


class Listed(NoPrices):
    """A list with one model, twice as dear for long prompts."""

    def rates(self, model: str, prompt_tokens: int, now: float) -> Rates | None:
        dear = 2 if prompt_tokens > 1000 else 1
        return Rates(RATES.input * dear, RATES.cached_input * dear, RATES.output * dear) if model == "listed" else None


RULES = CostRules({"ours": ModelPrice(input=1, output=2)}, Listed())


def turn(usage: Wire | None = USAGE, *, answered: str | None = "listed", asked: str = "asked") -> Turn:
    return Turn(1, "resp_1", model=answered, usage=usage, report={"model": {"asked": asked}})


def test_what_was_cached_costs_less_and_reasoning_is_part_of_the_answer() -> None:
    nanodollars = price(RATES, USAGE)

    assert nanodollars == 600 * 2500 + 400 * 1250 + 50 * 10_000


def test_more_cached_tokens_than_there_are_cost_no_more_than_all_of_them() -> None:
    usage = {**USAGE, "prompt_tokens": 100}

    assert price(RATES, usage) == 100 * 1250 + 50 * 10_000


def test_fractions_of_a_nanodollar_are_rounded_and_not_dropped() -> None:
    usage = {**zero_usage(), "prompt_tokens": 1, "total_tokens": 1}

    assert price(Rates(Decimal("0.0005"), Decimal(0), Decimal(0)), usage) == 1


@pytest.mark.parametrize(
    ("answered", "asked", "expected"),
    [
        ("listed", "whatever", price(RATES, USAGE)),
        ("a-dated-name", "listed", price(RATES, USAGE)),
        (None, "listed", price(RATES, USAGE)),
        ("listed", "ours", 1000 * 1000 + 50 * 2000),
        ("unheard-of", "unheard-of-too", None),
    ],
)
def test_a_price_is_found_by_the_name_that_answered_or_was_asked_configured_ones_first(
    answered: str | None, asked: str, expected: int | None
) -> None:
    assert price_of(turn(answered=answered, asked=asked), RULES, calls={}, now=NOON) == expected


def test_a_long_prompt_is_charged_by_its_tier() -> None:
    longer = {**USAGE, "prompt_tokens": 1001}

    assert price_of(turn(longer), RULES, calls={}, now=NOON) == 2 * price(RATES, longer)


@pytest.mark.parametrize("usage", [None, zero_usage()], ids=["not asked", "not told"])
def test_a_turn_whose_usage_is_not_known_has_no_price(usage: Wire | None) -> None:
    assert price_of(turn(usage), RULES, calls={}, now=NOON) is None


def test_a_turn_from_before_reports_were_kept_is_priced_by_the_model_that_answered() -> None:
    assert price_of(Turn(1, model="listed", usage=USAGE), RULES, calls={}, now=NOON) == price(RATES, USAGE)


def test_a_request_is_estimated_without_any_cache_and_with_the_longest_answer() -> None:
    def estimate(model: str) -> int | None:
        return price_at_most(model, prompt_tokens=1000, answer_tokens=16, rules=RULES, now=NOON)

    assert estimate("listed") == 1000 * 2500 + 16 * 10_000
    assert estimate("unheard-of") is None


def test_searches_are_charged_where_a_setting_says_how_much() -> None:
    charging = CostRules(RULES.configured, RULES.listed, Fees(file_search_call=0.0025))

    searches = {"file_search": 2}

    assert price_of(turn(), RULES, calls=searches, now=NOON) == price(RATES, USAGE)
    assert price_of(turn(), charging, calls=searches, now=NOON) == price(RATES, USAGE) + 2 * 2_500_000
    assert price_of(turn(answered=None), charging, calls=searches, now=NOON) is None


def test_sums_count_turns_of_unknown_price_apart() -> None:
    priced, unpriced = Turn(1, usage=USAGE, nanodollars=7), Turn(2, usage=USAGE)

    spent = total(spent_on(one) for one in (priced, unpriced, Turn(3)))

    assert spent == Spent(
        turns=2,
        unpriced=1,
        prompt_tokens=2000,
        cached_tokens=800,
        completion_tokens=100,
        reasoning_tokens=60,
        nanodollars=7,
    )


def test_the_sum_of_nothing_is_nothing() -> None:
    assert total(()) == Spent()


def test_a_day_is_a_day_of_universal_time() -> None:
    assert [day_of(NOON + seconds) for seconds in (-43_200, 43_199, 43_200)] == [20_000, 20_000, 20_001]


@pytest.mark.parametrize(
    ("nanodollars", "told"),
    [(0, "$0.00"), (1, "$0.000000001"), (10_000_000, "$0.01"), (1_234_500_000, "$1.2345"), (10**12, "$1000.00")],
)
def test_amounts_are_told_exactly(nanodollars: int, told: str) -> None:
    assert dollars(nanodollars) == told
