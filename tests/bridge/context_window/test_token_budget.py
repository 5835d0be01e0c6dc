from __future__ import annotations

from typing import Any

import pytest

from tests.bridge.translation.upstream_events import RUN
from threadbridge.context_window.token_budget import (
    HistoryRules,
    TokenBudget,
    compute_context_budget,
    compute_prompt_budget,
    compute_run_budget,
)
from threadbridge.ports import Wire
from threadbridge.settings import ModelOverride, TruncationSettings
from threadbridge.translation.models.data import CONTEXT_WINDOWS, MODEL_FAMILIES

RULES = HistoryRules()


def run(**fields: Any) -> Wire:
    return {**RUN, "model": "gpt-4o", **fields}


@pytest.mark.parametrize(
    ("model", "tokens"),
    [
        ("gpt-4o", 128_000 - 4096),
        ("gpt-4", 8_192 - 2048),  # an answer never takes more than a quarter of the window
        ("ft:gpt-4o-mini-2024-07-18:acme::x", 128_000 - 4096),
        ("a-model-nobody-knows", 128_000 - 4096),
    ],
)
def test_the_budget_is_what_the_original_models_window_leaves(model: str, tokens: int) -> None:
    assert compute_context_budget(run(model=model), RULES) == tokens


def test_the_window_of_every_known_model_is_known() -> None:
    assert CONTEXT_WINDOWS.keys() == MODEL_FAMILIES.keys()


def test_the_narrowest_configuration_wins() -> None:
    truncation = TruncationSettings(context_tokens=3)
    models = {"gpt-4o": ModelOverride(model="gpt-4o", context_tokens=2)}
    own = {RUN["assistant_id"]: ModelOverride(model="gpt-4o", context_tokens=1)}

    everywhere = HistoryRules(truncation)
    of_model = HistoryRules(truncation, models)
    of_assistant = HistoryRules(truncation, models, own)

    assert [compute_context_budget(run(), rules) for rules in (everywhere, of_model, of_assistant)] == [3, 2, 1]


def test_a_runs_own_budget_is_for_all_its_turns() -> None:
    spent: Wire = {"prompt_tokens": 70, "completion_tokens": 5}

    assert compute_run_budget(run(max_prompt_tokens=None), spent) is None
    assert compute_run_budget(run(max_prompt_tokens=100), None) == TokenBudget(100, "max_prompt_tokens")
    assert compute_run_budget(run(max_prompt_tokens=100), spent) == TokenBudget(30, "max_prompt_tokens")


def test_the_tighter_of_window_and_own_budget_bounds_a_prompt() -> None:
    tight = compute_prompt_budget(run(max_prompt_tokens=100), None, RULES)
    wide = compute_prompt_budget(run(max_prompt_tokens=10**9), None, RULES)

    assert (tight.source, wide.source) == ("max_prompt_tokens", "context")
