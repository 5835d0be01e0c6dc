from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.translation.upstream_events import NO_USAGE, USAGE, WIRE_USAGE
from threadbridge.api_types import UsageObject
from threadbridge.translation.wire_objects import add_usage, parse_usage, zero_usage


def test_usage_gets_the_legacy_names_and_details() -> None:
    assert parse_usage({"usage": USAGE}) == WIRE_USAGE


def test_a_missing_total_is_the_sum() -> None:
    assert parse_usage({"usage": {"input_tokens": 3, "output_tokens": 4}})["total_tokens"] == 7


@pytest.mark.parametrize(
    "response",
    [
        {},
        {"usage": None},
        {"usage": {"output_tokens_details": None}},
        {"usage": "?"},
        {"usage": {"input_tokens": -1, "output_tokens": 10**30}},
    ],
)
def test_what_the_service_left_out_or_cannot_mean_counts_zero(response: Any) -> None:
    assert parse_usage(response) == NO_USAGE == zero_usage()


def test_usages_add_up_in_every_count() -> None:
    total = add_usage(WIRE_USAGE, WIRE_USAGE)

    assert total == {
        "prompt_tokens": 60,
        "completion_tokens": 14,
        "total_tokens": 74,
        "prompt_token_details": {"cached_tokens": 20},
        "completion_tokens_details": {"reasoning_tokens": 4},
    }


def test_nothing_added_changes_nothing() -> None:
    assert add_usage(None, WIRE_USAGE) == add_usage(WIRE_USAGE, None) == WIRE_USAGE
    assert add_usage(None, None) == NO_USAGE


def test_an_imported_usage_without_details_can_be_added() -> None:
    bare: UsageObject = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}

    assert add_usage(bare, None) == {**NO_USAGE, **bare}
