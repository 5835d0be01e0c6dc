"""What the settings pay for, and in which words a run is stopped."""

from __future__ import annotations

import pytest

from threadbridge.costs.spend_limits import (
    SpendLimit,
    build_unpriced_error,
    find_exceeded_limit_error,
    find_unpriced_limits_warning,
)
from threadbridge.settings import Limits, UnknownPricePolicy

RUN = SpendLimit("limits.run_dollars", 0.01, "it", spent_nanodollars=6_000_000)
TENANT = SpendLimit("limits.tenant_dollars", 5, "the tenant", spent_nanodollars=4_999_000_000)


def test_a_prompt_that_reaches_a_cap_exactly_is_paid_for() -> None:
    assert find_exceeded_limit_error([RUN], 4_000_000) is None


def test_a_prompt_beyond_a_cap_is_refused_with_the_amounts_and_the_setting() -> None:
    error = find_exceeded_limit_error([RUN], 4_000_001)

    assert error == {
        "code": "rate_limit_exceeded",
        "message": "The run was stopped before its next request, which may cost $0.004000001: it has already "
        "spent $0.006, and limits.run_dollars is $0.01.",
    }


def test_the_first_cap_that_is_exceeded_is_told() -> None:
    error = find_exceeded_limit_error([RUN, TENANT], 2_000_000)

    assert error is not None
    assert "limits.tenant_dollars is $5.00" in error["message"]


def test_an_unknown_price_is_told_with_what_helps() -> None:
    error = build_unpriced_error("a-model", ["limits.run_dollars", "limits.tenant_dollars"])

    assert error["code"] == "server_error"
    assert "(limits.run_dollars, limits.tenant_dollars)" in error["message"]
    assert "the price of a-model is unknown. Set `prices`" in error["message"]


@pytest.mark.parametrize(
    ("limits", "prices", "policy", "expected"),
    [
        ({}, (), "refuse", None),
        ({"run_dollars": 1}, (), "refuse", "limits.run_dollars cannot be applied, as no model has a price so far"),
        ({"run_dollars": 1, "tenant_dollars": 2}, (), "refuse", "limits.run_dollars and limits.tenant_dollars cannot"),
        ({"tenant_dollars": 2}, ("m",), "allow", "except m: a run of another model is not limited"),
    ],
)
def test_limits_without_a_price_list_are_warned_about(
    limits: dict[str, float], prices: tuple[str, ...], policy: UnknownPricePolicy, expected: str | None
) -> None:
    def find(*, has_price_list: bool) -> str | None:
        return find_unpriced_limits_warning(
            Limits.model_validate(limits), has_price_list=has_price_list, prices=prices, policy=policy
        )

    warning = find(has_price_list=False)
    assert find(has_price_list=True) is None
    assert (warning is None) if expected is None else (warning is not None and expected in warning)
